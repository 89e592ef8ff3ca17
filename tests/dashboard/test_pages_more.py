"""The dashboard's other pages: the weeks, files, what scripts ask, and what all have in common."""

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from powerlog.models import Run, Silence
from tests.support.pumps import DAY, at, device, past_of_the_pump, shown, total
from tests.support.pumps import now as now
from tests.support.pumps import staff as staff

pytestmark = pytest.mark.django_db
WELL = "/dashboard/?meter=pump/switch:2"
WEEKS = "/dashboard/weeks/?meter=pump/switch:2"


def test_the_weeks_are_bars_that_lead_to_their_days(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    total(DAY - timedelta(days=7)).save()
    Silence.objects.create(device_id="pump", since=at(-1440), until=at(-1000))
    response = staff.get(WEEKS)
    page = response.content.decode()
    assert 'href="/dashboard/?meter=pump%2Fswitch%3A2&amp;day=2026-04-24"' in page
    assert page.count('class="bar"') == 30 + 12
    assert "data is missing" in page
    text = shown(response)
    assert "Fri May 1 55 min 387 Wh 3 450 W -" in text
    assert "May 2026 55 min" in text
    energy = shown(staff.get(f"{WEEKS}&show=energy"))
    assert "602 Wh" in energy


def test_the_weeks_go_back_and_forth(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    earlier = staff.get(f"{WEEKS}&day=2026-03-10").content.decode()
    assert "day=2026-02-08" in earlier
    assert "day=2026-04-09" in earlier
    assert "Up to today" in earlier
    ahead = staff.get(f"{WEEKS}&day=2027-03-10")
    assert "Up to today" not in shown(ahead)


def test_the_runs_of_a_day_are_a_file(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    response = staff.get("/dashboard/runs.csv?meter=pump/switch:2&day=2026-05-01")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    name = 'attachment; filename="runs-pump-switch2-2026-05-01.csv"'
    assert response["Content-Disposition"] == name
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [each["energy_wh"] for each in rows] == ["215.000", "107.500", "64.500"]


@pytest.mark.parametrize("device_id", ['=1;"\u00e4"', "a/b,=2", "\uff1d1", ".."])
def test_no_device_writes_the_name_of_a_file(staff: Client, now: datetime, device_id: str) -> None:
    device(device_id)
    response = staff.get("/dashboard/runs.csv", {"meter": f"{device_id}/switch:2"})
    name = r'attachment; filename="runs-[A-Za-z0-9_.-]*-switch2-2026-05-01\.csv"'
    assert re.fullmatch(name, response["Content-Disposition"])


def test_the_crosshair_has_its_numbers_for_a_channel_and_a_device(
    staff: Client, now: datetime
) -> None:
    past_of_the_pump()
    found = staff.get("/dashboard/minutes/?meter=pump/switch:2").json()
    assert (found["passed"], len(found["meters"][0]["minutes"])) == (720, 55)
    assert staff.get("/dashboard/minutes/?device=pump").json() == found


@pytest.mark.parametrize("asked", ["", "?meter=pump/switch:2", "?device=pump"])
def test_what_has_not_changed_is_not_sent_again(staff: Client, now: datetime, asked: str) -> None:
    past_of_the_pump()
    first = staff.get(f"/dashboard/live/{asked}")
    assert first["Cache-Control"] == "private, no-cache"
    again = staff.get(f"/dashboard/live/{asked}", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Run.objects.filter(ended_at=None).update(ended_at=at(719), end="stopped")
    news = staff.get(f"/dashboard/live/{asked}", headers={"if-none-match": first["ETag"]})
    assert (news.status_code, news.json()["version"]) != (304, first.json()["version"])


def test_the_page_bears_the_version_that_live_tells(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    for path, live in ((WELL, "?meter=pump/switch:2"), ("/dashboard/?device=pump", "?device=pump")):
        version = staff.get(f"/dashboard/live/{live}").json()["version"]
        assert f'data-version="{version}"' in staff.get(path).content.decode()


def test_numbers_and_dates_are_those_of_the_reader(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    german = {"accept-language": "de"}
    page = shown(staff.get(WELL, headers=german))
    assert "Freitag, 1. Mai 2026" in page
    assert "Kosten 0,19 EUR" in page
    picture = staff.get(WELL, headers=german).content.decode()
    assert not re.search(r'(x|y|width|d)="[^"]*\d,\d', picture)


def test_no_page_has_a_script_or_a_style_of_its_own(staff: Client, now: datetime) -> None:
    past_of_the_pump()
    device("other")
    for path in ("/dashboard/", WELL, "/dashboard/?device=pump", WEEKS):
        page = staff.get(path).content.decode()
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)|javascript:", page)


def test_the_day_of_a_channel_or_a_device_costs_a_dozen_queries(
    staff: Client, now: datetime, django_assert_max_num_queries: Any
) -> None:
    past_of_the_pump()
    for path in (WELL, f"{WELL}&day=2026-04-30", "/dashboard/?device=pump"):
        with django_assert_max_num_queries(14):
            staff.get(path)
