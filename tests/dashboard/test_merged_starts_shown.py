"""A run that stands for several starts, as staff see it: said in words, and counted in full."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from powerlog.dashboard import live
from powerlog.dashboard.chart import plot
from powerlog.dashboard.overview import overview
from powerlog.database.store import WRITER, store
from powerlog.models import Run as RunRow
from powerlog.reports.channels import everybody
from powerlog.reports.figures import figures
from powerlog.reports.queries import latest, past_runs
from tests.core.test_run_state_chatter import chatter
from tests.dashboard.test_chart import day_of
from tests.search.test_csv_export import RUNS, exported
from tests.support.frames import PUMP as CHATTERING
from tests.support.frames import T0
from tests.support.line import Line
from tests.support.pumps import NOON, PUMP, TODAY, device, known_run, run, shown, total
from tests.support.pumps import now as now
from tests.support.pumps import staff as staff

WELL = "/dashboard/?meter=pump/switch:2"
LIST = "/admin/powerlog/run/"
NOTE = "all further starts of that minute are merged into the last run"
GERMAN = {"accept-language": "de"}


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def merged() -> None:
    """Two runs of today, of which one stands for 1,200 starts."""
    device()
    run(600, 601).save()
    run(660, 661, starts=1200).save()
    total(runs=1201).save()


@pytest.mark.django_db(transaction=True, databases=["default", WRITER])
def test_a_relay_that_chatters_is_seen_with_all_its_starts(staff: Client) -> None:
    line = Line()
    chatter(line, 0, 59)
    line.says(60, apower_w=0.0)
    at = datetime.fromtimestamp(T0 + 90, UTC)
    with time_machine.travel(at, tick=False):
        device(CHATTERING, last_seen_at=at)
        store([*line.rows, *line.told])
        page = shown(staff.get(f"/dashboard/?meter={CHATTERING}/switch:2"))
        weeks = shown(staff.get(f"/dashboard/weeks/?meter={CHATTERING}/switch:2"))
        (only,) = overview(everybody(), at).lines
    assert "266 starts, merged" in page
    assert "more than 30 times in a minute" in page
    assert "Runs 295" in page
    assert "Most starts per hour 295" in page
    assert only.why == "295 starts in the last hour"
    assert " 295 " in weeks


def test_the_figures_of_a_day_count_starts() -> None:
    found = figures([known_run(60, 61, starts=40), known_run(90, 91), known_run(200, 201)], TODAY)
    assert (found.runs, found.busiest_hour) == (42, 41)


@pytest.mark.parametrize(
    ("runs", "most"),
    [
        ([(0, 2), (59, 3), (61, 4)], 7),
        ([(0, 40), (60, 1)], 40),
        ([(0, 1), (60, 40), (119, 2), (121, 50)], 52),
    ],
)
def test_the_busiest_hour_is_any_sixty_minutes_of_starts(
    runs: list[tuple[int, int]], most: int
) -> None:
    known = [known_run(start, start + 0.5, starts=count) for start, count in runs]
    assert figures(known, TODAY).busiest_hour == most


@pytest.mark.django_db
def test_what_is_usual_counts_starts_as_well() -> None:
    run(60, 61, starts=40).save()
    assert [each.starts for each in past_runs(PUMP, [TODAY])] == [40]


@pytest.mark.django_db
@pytest.mark.parametrize(("starts", "why"), [(9, ""), (10, "10 starts in the last hour")])
def test_a_channel_with_many_starts_needs_a_look_though_they_are_one_run(
    now: datetime, starts: int, why: str
) -> None:
    device()
    run(661, 662, starts=starts).save()
    (line,) = overview(everybody(), NOON).lines
    assert line.why == why


@pytest.mark.django_db
def test_the_page_of_the_day_says_it_in_both_languages(staff: Client, now: datetime) -> None:
    merged()
    page = shown(staff.get(WELL))
    assert "11:00:00 1,200 starts, merged 11:01:00" in page
    assert page.count("starts, merged") == 2, "in the table, and in the picture"
    assert page.count(NOTE) == 1
    assert "Runs 1,201" in page
    german = shown(staff.get(WELL, headers=GERMAN))
    assert "1.200 Starts, zusammengefasst" in german
    assert "mehr als 30-mal, werden alle weiteren Starts dieser Minute" in german
    assert "1,201" in shown(staff.get("/dashboard/?device=pump"))


@pytest.mark.django_db
def test_a_run_that_the_page_has_no_room_for_needs_no_note(staff: Client, now: datetime) -> None:
    device()
    RunRow.objects.bulk_create(run(each * 2, each * 2 + 1) for each in range(300))
    run(700, 701, starts=40).save()
    assert NOTE not in shown(staff.get(WELL))


def test_the_picture_says_it_of_its_run() -> None:
    day = day_of(runs=[known_run(360, 361), known_run(400, 401, starts=40)])
    first, second = plot(day, TODAY).runs
    assert "merged" not in first.label
    assert second.label.endswith(", 40 starts, merged")


@pytest.mark.django_db
def test_the_list_of_runs_says_it_in_both_languages(boss: Client, now: datetime) -> None:
    merged()
    page = shown(boss.get(LIST))
    assert "0:01:00 , 1,200 starts, merged 10.0" in page
    assert page.count("starts, merged") == 1
    assert page.count(NOTE) == 1
    german = shown(boss.get(LIST, headers=GERMAN))
    assert "0:01:00 , 1.200 Starts, zusammengefasst" in german


@pytest.mark.django_db
def test_an_open_run_of_the_list_says_it_too(boss: Client, now: datetime) -> None:
    device()
    run(719, None, starts=40).save()
    assert "0:01:00 so far, 40 starts, merged" in shown(boss.get(LIST))


@pytest.mark.django_db
def test_the_page_of_a_run_has_its_starts_where_they_are_several(boss: Client) -> None:
    pages = []
    for start, count in ((60, 1), (90, 40)):
        each = run(start, start + 1, starts=count)
        each.save()
        pages.append(shown(boss.get(f"{LIST}{each.pk}/change/")))
    assert "Starts:" not in pages[0]
    assert "Starts: 40 More than 1 where later starts" in pages[1]


@pytest.mark.django_db
@pytest.mark.parametrize("address", [WELL, LIST])
def test_where_each_run_is_one_start_nothing_is_said_of_it(
    boss: Client, now: datetime, address: str
) -> None:
    device()
    run(660, 661).save()
    assert "merged" not in shown(boss.get(address))


@pytest.mark.django_db(transaction=True, databases=["default", WRITER])
def test_both_files_have_a_column_of_starts(staff: Client, now: datetime) -> None:
    merged()
    head, *lines = staff.get("/dashboard/runs.csv?meter=pump/switch:2").content.decode().split()
    assert head.endswith(",starts")
    assert [line.split(",")[-1] for line in lines] == ["1", "1200"]
    assert [line["starts"] for line in exported(RUNS)] == ["1", "1200"]


@pytest.mark.django_db
def test_more_starts_are_news_for_the_page(now: datetime) -> None:
    device()
    run(710, None).save()
    before = live.of_meters([PUMP], latest([PUMP]), NOON)["version"]
    RunRow.objects.update(starts=40)
    assert live.of_meters([PUMP], latest([PUMP]), NOON)["version"] != before
