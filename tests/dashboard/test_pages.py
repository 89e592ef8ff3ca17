"""The dashboard's pages for staff: the entry, the overview, a day of a channel and of a device."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from powerlog.core.sampler import Rules
from powerlog.models import Device, PowerLog, Run, Silence
from tests.support.pumps import DAY, at, device, minutes, past_of_the_pump, run, shown, total
from tests.support.pumps import now as now
from tests.support.pumps import staff as staff
from tests.test_models import row

pytestmark = pytest.mark.django_db
WELL = "/dashboard/?meter=pump/switch:2"
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
    past_of_the_pump()
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
    past_of_the_pump()
    device("silent", last_seen_at=at(461), title="Trough", name="Stable")
    page = shown(staff.get("/dashboard/"))
    assert page.index("Trough Stable No contact since 07:41") < page.index("Well Shed Running")
    assert "1 needs a look 1 running 2 channels" in page
    assert "55 min 387 Wh just now" in page


def test_a_search_without_a_match_says_so(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    device("other")
    assert "No channel has “<b>” in its name" in shown(
        staff.get("/dashboard/", {"q": "<b>"})
    ).replace("&lt;", "<").replace("&gt;", ">")


def test_the_picture_shows_each_kind_of_minute_and_explains_it(
    staff: Client, now: datetime
) -> None:
    past_of_the_pump()
    Silence.objects.create(device_id="pump", since=at(400), until=at(450))
    page = staff.get(WELL).content.decode()
    assert re.search(r'<path class="measured" d="M60 ', page)
    assert re.search(r'<path class="device" d="M300 ', page)
    assert 'class="gap" fill="url(#no-data)"' in page
    assert "from the device&#x27;s own record" in page or "from the device's own record" in page
    assert "carried over a short gap" not in page
    assert page.count('tabindex="-1"><rect') == 3


def test_a_run_is_looked_at_closely_by_a_plain_link(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    page = staff.get(WELL).content.decode()
    link = re.search(r'href="(\?run=\d+)', page)
    assert link
    close = staff.get("/dashboard/" + link[1])
    assert "00:52-01:38 · Show the whole day" in shown(close)
    assert 'class="chosen"' in close.content.decode()
    # The days before and after, and all of this one, are those of its channel.
    assert 'rel="prev" href="?meter=pump%2Fswitch%3A2&amp;day=2026-04-30"' in close.content.decode()
    asked = staff.get(f"{WELL}&day=2026-05-01&from=55&to=95")
    assert "00:55-01:35" in shown(asked)


def test_a_day_can_be_chosen_and_left(staff: Client, now: datetime) -> None:
    past_of_the_pump()
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
    for path in ("/dashboard/?", "/dashboard/?device=pump"):
        page = shown(staff.get(path))
        assert "It has not run today. This is the last day on which it did." in page
        assert "Tuesday, April 28, 2026" in page
        asked = shown(staff.get(f"{path}&day=2026-05-01"))
        assert "It did not run on this day. Show the last day on which it ran, April 28," in asked
        assert "It has not run today" not in asked
        assert "Click a run" not in asked


def test_a_channel_that_never_ran_says_so(staff: Client, now: datetime) -> None:
    device()
    page = shown(staff.get("/dashboard/"))
    assert "Has not run yet" in page
    assert "It has never run since the collector knows it." in page
    assert "Run time" not in page


def test_a_relay_without_a_meter_says_so_on_every_page(
    staff: Client, now: datetime, settings: Any
) -> None:
    settings.SAMPLING_RULES = Rules(frozenset({"*"}))
    device(channel="switch:0", title="Gate", reports_power=False)
    pages = ("/dashboard/", "/dashboard/?meter=pump/switch:0", "/dashboard/?device=pump")
    for path in (*pages, "/dashboard/weeks/?meter=pump/switch:0"):
        page = shown(staff.get(path))
        assert "No meter" in page
        assert "The device reports no power here, so nothing is logged." in page
        assert "run yet" not in page
        assert "not running" not in page
        assert "It did not run" not in page
    page = shown(staff.get("/dashboard/?device=pump"))
    assert "Gate No meter - - - - -" in page
    device(title="Well")
    page = shown(staff.get("/dashboard/"))
    assert "All is well" in page
    assert "Gate Shed No meter" in page
    page = shown(staff.get("/dashboard/?device=pump"))
    assert "Also on this device: Gate (no meter)" in page
    numbers = staff.get("/dashboard/minutes/?device=pump").json()
    assert [each["name"] for each in numbers["meters"]] == ["Well"]


def test_a_clamp_that_may_sit_the_wrong_way_round_is_said_on_its_pages(
    staff: Client, now: datetime, settings: Any
) -> None:
    settings.SAMPLING_RULES = Rules(frozenset({"*"}))
    device(channel="em1:0", title="Grid", negative_w=-1250.0, negative_at=at(703))
    device(title="Well")
    hint = "Power is always negative (\u22121,250 W at 11:43): the clamp may sit"
    paths = ("", "?meter=pump/em1:0", "weeks/?meter=pump/em1:0")
    for path in paths:
        page = shown(staff.get(f"/dashboard/{path}"))
        assert "Has not run yet" in page
        assert hint in page
    run(60, 90, channel="em1:0").save()
    for path in paths:
        assert "negative" not in shown(staff.get(f"/dashboard/{path}"))


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_said_to_be_none(staff: Client, now: datetime, day: str) -> None:
    past_of_the_pump()
    for path in (WELL, "/dashboard/weeks/?meter=pump/switch:2", "/dashboard/?device=pump"):
        response = staff.get(f"{path}&day={day}")
        assert response.status_code == 400
        assert 'class="error"' in response.content.decode()


@pytest.mark.parametrize("meter", ["nobody/switch:2", "pump", "/", "<b>/x", "\0/\0"])
def test_a_channel_that_nobody_knows_is_not_found_in_the_same_style(
    staff: Client, now: datetime, meter: str
) -> None:
    past_of_the_pump()
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
    past_of_the_pump()
    page = staff.get(f"{WELL}&sort=-duration").content.decode()
    assert 'aria-sort="descending"' in page
    assert page.index(">01:00:00</a>") < page.index(">05:00:00</a>") < page.index(">11:50:00</a>")
    again = re.search(r'href="([^"]*sort=duration[^"]*)#runs"', page)
    assert again
    page = staff.get("/dashboard/" + again[1].replace("&amp;", "&")).content.decode()
    assert page.index(">11:50:00</a>") < page.index(">01:00:00</a>")
    assert "?meter=pump%2Fswitch%3A2&amp;sort=duration&amp;day=2026-04-30" in page


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
    past_of_the_pump()
    for channel in ("switch:0", "switch:1", "switch:3", "switch:4"):
        device(channel=channel, title=f"Output {channel[-1]}")
        total(channel=channel).save()
    page = shown(staff.get("/dashboard/?device=pump"))
    assert "Shed" in page
    assert "Well Running since 11:50 55" in page
    assert "Also on this device: Output 4" in page
