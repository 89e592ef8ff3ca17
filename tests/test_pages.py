"""The dashboard's pages for staff."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from powerlog.models import Device, PowerLog, Run, Silence
from powerlog.sampler import Rules

from .pumps import DAY, NOON, at, device, minutes, run, total
from .test_models import row

pytestmark = pytest.mark.django_db
WELL = "/dashboard/?meter=pump/switch:2"


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


def shown(response: HttpResponse) -> str:
    """What a reader sees: the text without the tags, in one line."""
    body = re.search("<main.*</main>", response.content.decode(), re.DOTALL)
    assert body
    text = " ".join(re.sub("<[^>]*>", " ", body[0]).split())
    return text.replace("\u2013", "-")


def pump() -> None:
    """A day of the pump until now: two runs that have ended and one that goes on."""
    device(price_kwh="0.50", flow_m3h=3.0)
    PowerLog.objects.bulk_create(
        [
            *minutes(60, 30),
            *minutes(300, 15, source="device"),
            *minutes(710, 10, energy_total_wh=164.5),
        ]
    )
    run(60, 90, 215.0).save()
    run(300, 315, 107.5).save()
    run(710, None, 0.0).save()
    total(runs=3, run_s=2700.0, energy_wh=322.5).save()


PATHS = [
    "/dashboard/",
    "/dashboard/weeks/",
    "/dashboard/runs.csv",
    "/dashboard/minutes/",
    "/dashboard/live/",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_wants_a_login_of_staff_and_is_only_to_be_read(
    client: Client, path: str
) -> None:
    assert client.get(path)["Location"] == f"/admin/login/?next={path}"
    client.force_login(User.objects.create_user("guest"))
    assert client.get(path).status_code == 302
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.post(path).status_code == 405


def test_before_the_first_reading_it_says_what_to_type_into_the_shelly(staff: Client) -> None:
    page = shown(staff.get("/dashboard/", headers={"host": "192.0.2.5:5000"}))
    assert "No readings yet" in page
    assert "ws://192.0.2.5:5000/ws" in page
    assert "waits for a Shelly" in page


def test_a_device_that_does_not_meter_is_said_to_be_none_that_does(staff: Client) -> None:
    Device.objects.create(device_id="sensor")
    assert "1 device has dialled in, but none" in shown(staff.get("/dashboard/"))


def test_of_a_single_channel_the_entry_is_its_day(staff: Client, now: datetime) -> None:
    pump()
    page = shown(staff.get("/dashboard/"))
    assert "Well Running since 11:50" in page
    assert "Last heard 0 s ago" in page
    assert "Friday, May 1, 2026 today so far" in page
    for figure in (
        "Run time 55 min",
        "Runs 3",
        "Energy 387 Wh",
        "Cost 0.19 EUR",
        "Water pumped 2.75 m³",
        "Peak power 450 W",
        "Longest run 30 min",
        "Most starts per hour 1",
    ):
        assert figure in page


def test_of_several_channels_the_entry_is_the_overview(staff: Client, now: datetime) -> None:
    pump()
    device("silent", last_seen_at=at(461), title="Trough", name="Stable")
    page = shown(staff.get("/dashboard/"))
    assert page.index("Trough Stable No contact since 07:41") < page.index("Well Shed Running")
    assert "1 needs a look 1 running 2 channels" in page
    assert "55 min 387 Wh just now" in page


def test_a_search_without_a_match_says_so(staff: Client, now: datetime) -> None:
    pump()
    device("other")
    assert "No channel has “<b>” in its name" in shown(
        staff.get("/dashboard/", {"q": "<b>"})
    ).replace("&lt;", "<").replace("&gt;", ">")


def test_the_picture_shows_each_kind_of_minute_and_explains_it(
    staff: Client, now: datetime
) -> None:
    pump()
    Silence.objects.create(device_id="pump", since=at(400), until=at(450))
    page = staff.get(WELL).content.decode()
    assert re.search(r'<path class="measured" d="M60 ', page)
    assert re.search(r'<path class="device" d="M300 ', page)
    assert 'class="gap" fill="url(#no-data)"' in page
    assert "from the device&#x27;s own record" in page or "from the device's own record" in page
    assert "carried over a short gap" not in page
    assert page.count('tabindex="-1"><rect') == 3


def test_a_run_is_looked_at_closely_by_a_plain_link(staff: Client, now: datetime) -> None:
    pump()
    page = staff.get(WELL).content.decode()
    link = re.search(r'href="(\?run=\d+)', page)
    assert link
    close = staff.get("/dashboard/" + link[1])
    assert "00:52-01:38 · Show the whole day" in shown(close)
    assert 'class="chosen"' in close.content.decode()
    asked = staff.get(f"{WELL}&day=2026-05-01&from=55&to=95")
    assert "00:55-01:35" in shown(asked)


def test_a_day_can_be_chosen_and_left(staff: Client, now: datetime) -> None:
    pump()
    total(DAY - timedelta(days=1)).save()
    run(-1440 + 60, -1440 + 90).save()
    response = staff.get(f"{WELL}&day=2026-04-30")
    assert "Thursday, April 30, 2026" in shown(response)
    assert "today so far" not in shown(response)
    page = response.content.decode()
    assert "day=2026-04-29" in page
    assert re.search(r'rel="next" href="\?meter=pump%2Fswitch%3A2&amp;day=2026-05-01"', page)
    assert 'rel="next"' not in staff.get(WELL).content.decode()


def test_without_a_run_today_the_last_day_with_one_is_shown_and_says_so(
    staff: Client, now: datetime
) -> None:
    device()
    total(DAY - timedelta(days=3)).save()
    run(-3 * 1440 + 60, -3 * 1440 + 90).save()
    page = shown(staff.get("/dashboard/"))
    assert "It has not run today. This is the last day on which it did." in page
    assert "Tuesday, April 28, 2026" in page
    asked = shown(staff.get(f"{WELL}&day=2026-05-01"))
    assert "It did not run on this day. Show the last day on which it ran, April 28, 2026" in asked


def test_a_channel_that_never_ran_says_so(staff: Client, now: datetime) -> None:
    device()
    page = shown(staff.get("/dashboard/"))
    assert "Has not run yet" in page
    assert "It has never run since the collector knows it." in page
    assert "Run time" not in page


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_said_to_be_none(staff: Client, now: datetime, day: str) -> None:
    pump()
    for path in (WELL, "/dashboard/weeks/?meter=pump/switch:2", "/dashboard/?device=pump"):
        response = staff.get(f"{path}&day={day}")
        assert response.status_code == 400
        assert 'class="error"' in response.content.decode()


@pytest.mark.parametrize("meter", ["nobody/switch:2", "pump", "/", "<b>/x", "\0/\0"])
def test_a_channel_that_nobody_knows_is_not_found_in_the_same_style(
    staff: Client, now: datetime, meter: str
) -> None:
    pump()
    response = staff.get("/dashboard/", {"meter": meter})
    assert response.status_code == 404
    assert "There is no channel" in shown(response)
    assert "<b>" not in response.content.decode()


def test_a_device_id_is_text_on_every_page_whatever_is_in_it(staff: Client, now: datetime) -> None:
    odd = "<script>alert(1)</script>/&?#\"'"
    device(odd, name=odd, title=odd)
    row(device_id=odd, timestamp=at(700)).save()
    run(700, 701, device_id=odd).save()
    device("another")
    asked = {"meter": f"{odd}/switch:2"}
    overview = staff.get("/dashboard/")
    link = re.search(r'<a href="(\?meter=%3Cscript[^"]+)"', overview.content.decode())
    assert link
    pages = [
        overview,
        staff.get(f"/dashboard/{link[1]}"),
        staff.get("/dashboard/", {"device": odd}),
        staff.get("/dashboard/weeks/", asked),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "<script>" not in page.content.decode()
    assert staff.get("/dashboard/runs.csv", asked).status_code == 200


def test_the_runs_are_sorted_by_plain_links(staff: Client, now: datetime) -> None:
    pump()
    page = staff.get(f"{WELL}&sort=-duration").content.decode()
    assert 'aria-sort="descending"' in page
    assert page.index(">01:00:00</a>") < page.index(">05:00:00</a>") < page.index(">11:50:00</a>")
    again = re.search(r'href="([^"]*sort=duration[^"]*)#runs"', page)
    assert again
    page = staff.get("/dashboard/" + again[1].replace("&amp;", "&")).content.decode()
    assert page.index(">11:50:00</a>") < page.index(">01:00:00</a>")


def test_a_run_from_the_day_before_is_whole_in_the_table(staff: Client, now: datetime) -> None:
    device()
    run(-30, 10, 280.0).save()
    page = shown(staff.get(f"{WELL}&day=2026-05-01"))
    assert "23:30:00 from the day before 00:10:00 40 min 280.0 Wh" in page
    assert "Run time 10 min" in page


def test_of_very_many_runs_the_page_shows_the_first_and_the_file_all(
    staff: Client, now: datetime
) -> None:
    device()
    Run.objects.bulk_create(run(each * 2, each * 2 + 1) for each in range(320))
    page = staff.get(WELL)
    assert "20 more runs are in the CSV file." in shown(page)
    assert len(page.content) < 150_000
    lines = staff.get("/dashboard/runs.csv?meter=pump/switch:2").content.decode().splitlines()
    assert len(lines) == 321


def test_a_full_day_of_four_channels_is_no_heavy_page(
    staff: Client, now: datetime, settings: Any
) -> None:
    settings.SAMPLING_RULES = Rules(frozenset({"*"}))
    for channel in range(4):
        device(channel=f"switch:{channel}")
        total(channel=f"switch:{channel}").save()
        rows = minutes(-1440, 1440, channel=f"switch:{channel}")
        for index, each in enumerate(rows):
            each.apower_w = 431.2 + index % 9
        PowerLog.objects.bulk_create(rows)
    response = staff.get("/dashboard/?device=pump&day=2026-04-30")
    assert len(response.content) < 150_000
    assert response.content.decode().count('<path class="measured"') == 4


def test_the_page_of_a_device_has_all_its_channels(
    staff: Client, now: datetime, settings: Any
) -> None:
    settings.SAMPLING_RULES = Rules(frozenset({"*"}))
    pump()
    for channel in ("switch:0", "switch:1", "switch:3", "switch:4"):
        device(channel=channel, title=f"Output {channel[-1]}")
        total(channel=channel).save()
    page = shown(staff.get("/dashboard/?device=pump"))
    assert "Shed" in page
    assert "Well Running since 11:50 55" in page
    assert "Also on this device: Output 4" in page


def test_the_weeks_are_bars_that_lead_to_their_days(staff: Client, now: datetime) -> None:
    pump()
    total(DAY - timedelta(days=7)).save()
    Silence.objects.create(device_id="pump", since=at(-1440), until=at(-1000))
    response = staff.get("/dashboard/weeks/?meter=pump/switch:2")
    page = response.content.decode()
    assert 'href="/dashboard/?meter=pump%2Fswitch%3A2&amp;day=2026-04-24"' in page
    assert page.count('class="bar"') == 30 + 12
    assert "data is missing" in page
    text = shown(response)
    assert "Fri May 1 55 min 387 Wh 3 450 W -" in text
    assert "May 2026 55 min" in text
    energy = shown(staff.get("/dashboard/weeks/?meter=pump/switch:2&show=energy"))
    assert "602 Wh" in energy


def test_the_weeks_go_back_and_forth(staff: Client, now: datetime) -> None:
    pump()
    earlier = staff.get("/dashboard/weeks/?meter=pump/switch:2&day=2026-03-10").content.decode()
    assert "day=2026-02-08" in earlier
    assert "day=2026-04-09" in earlier
    assert "Up to today" in earlier
    ahead = staff.get("/dashboard/weeks/?meter=pump/switch:2&day=2027-03-10")
    assert "Up to today" not in shown(ahead)


def test_the_runs_of_a_day_are_a_file(staff: Client, now: datetime) -> None:
    pump()
    response = staff.get("/dashboard/runs.csv?meter=pump/switch:2&day=2026-05-01")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    name = 'attachment; filename="runs-pump-switch2-2026-05-01.csv"'
    assert response["Content-Disposition"] == name
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [each["energy_wh"] for each in rows] == ["215.000", "107.500", "64.500"]


def test_the_crosshair_has_its_numbers_for_a_channel_and_a_device(
    staff: Client, now: datetime
) -> None:
    pump()
    found = staff.get("/dashboard/minutes/?meter=pump/switch:2").json()
    assert (found["passed"], len(found["meters"][0]["minutes"])) == (720, 55)
    assert staff.get("/dashboard/minutes/?device=pump").json() == found


@pytest.mark.parametrize("asked", ["", "?meter=pump/switch:2", "?device=pump"])
def test_what_has_not_changed_is_not_sent_again(staff: Client, now: datetime, asked: str) -> None:
    pump()
    first = staff.get(f"/dashboard/live/{asked}")
    assert first["Cache-Control"] == "private, no-cache"
    again = staff.get(f"/dashboard/live/{asked}", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Run.objects.filter(ended_at=None).update(ended_at=at(719), end="stopped")
    news = staff.get(f"/dashboard/live/{asked}", headers={"if-none-match": first["ETag"]})
    assert (news.status_code, news.json()["version"]) != (304, first.json()["version"])


def test_the_page_bears_the_version_that_live_tells(staff: Client, now: datetime) -> None:
    pump()
    for path, live in ((WELL, "?meter=pump/switch:2"), ("/dashboard/?device=pump", "?device=pump")):
        version = staff.get(f"/dashboard/live/{live}").json()["version"]
        assert f'data-version="{version}"' in staff.get(path).content.decode()


def test_numbers_and_dates_are_those_of_the_reader(staff: Client, now: datetime) -> None:
    pump()
    german = {"accept-language": "de"}
    page = shown(staff.get(WELL, headers=german))
    assert "Freitag, 1. Mai 2026" in page
    assert "Cost 0,19 EUR" in page
    picture = staff.get(WELL, headers=german).content.decode()
    assert not re.search(r'(x|y|width|d)="[^"]*\d,\d', picture)


def test_no_page_has_a_script_or_a_style_of_its_own(staff: Client, now: datetime) -> None:
    pump()
    device("other")
    for path in ("/dashboard/", WELL, "/dashboard/?device=pump", f"{PATHS[1]}?meter=pump/switch:2"):
        page = staff.get(path).content.decode()
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)|javascript:", page)


def test_a_page_of_the_day_costs_a_dozen_queries(
    staff: Client, now: datetime, django_assert_max_num_queries: Any
) -> None:
    pump()
    with django_assert_max_num_queries(20):
        staff.get(WELL)
