"""What a run used, in whole and within a day."""

from datetime import timedelta
from typing import Any

import pytest

from powerlog.localtime import DAY, Span
from powerlog.models import PowerLog
from powerlog.reports.run_usage import Spent, known, total
from tests.support.pumps import MIDNIGHT, NOON, PUMP, TODAY, at, known_run, minutes, run, span
from tests.test_models import row

YESTERDAY = Span(TODAY.start - DAY, TODAY.start)


def test_an_ended_run_is_what_it_was_told_to_be() -> None:
    each = known(run(60, 90, 215.0), PUMP, None, NOON)
    assert (each.until, each.wh, each.seconds, each.mean_w) == (at(90), 215.0, 1800.0, 430.0)
    assert not each.is_open
    assert each.untold(TODAY) == Spent()


def test_a_run_within_the_day_is_all_of_it() -> None:
    assert known_run(60, 90, 215.0).within(TODAY) == Spent(1800.0, 215.0)
    assert known_run(60, 90, 215.0).within(span(90, 100)) == Spent()


def test_a_run_across_midnight_is_divided_by_what_the_counter_said_then() -> None:
    each = known_run(-30, 10, 100.0, midnights=[[MIDNIGHT.timestamp(), 80.0]])
    assert each.within(YESTERDAY) == Spent(1800.0, 80.0)
    assert each.within(TODAY) == Spent(600.0, 20.0)


def test_where_nobody_said_it_is_divided_by_time() -> None:
    each = known_run(-30, 10, 100.0)
    assert each.within(YESTERDAY) == Spent(1800.0, 75.0)
    assert each.within(TODAY) == Spent(600.0, 25.0)


def test_a_run_of_three_days_has_a_part_on_each() -> None:
    midnights = [[TODAY.start.timestamp(), 50.0], [TODAY.end.timestamp(), 650.0]]
    each = known_run(-60, 1500, 700.0, midnights=midnights)
    days = [YESTERDAY, TODAY, Span(TODAY.end, TODAY.end + DAY)]
    assert [each.within(day).wh for day in days] == [50.0, 600.0, 50.0]
    assert total([each], Span(YESTERDAY.start, days[2].end)) == Spent(1560 * 60.0, 700.0)


def test_a_single_reading_has_no_time_but_its_energy() -> None:
    each = known_run(60, 60, 0.4)
    assert each.within(TODAY) == Spent(0.0, 0.4)
    assert each.within(YESTERDAY) == Spent()
    assert each.mean_w == 430.0


def test_an_open_run_goes_on_until_now_with_what_the_newest_row_says() -> None:
    newest = row(timestamp=at(719), energy_total_wh=170.0)
    each = known(run(710, None, 2.0), PUMP, newest, NOON)
    assert (each.until, each.wh) == (NOON, 72.0)
    assert each.is_open
    assert each.lag_s == 60.0
    assert each.mean_w == 72.0 * 3600 / 540


def test_a_counter_that_was_reset_says_nothing() -> None:
    newest = row(timestamp=at(719), energy_total_wh=90.0)
    assert known(run(710, None, 2.0), PUMP, newest, NOON).wh == 2.0


@pytest.mark.django_db
def test_a_counter_that_jumped_is_not_believed_but_the_power_of_the_minutes() -> None:
    rows = [*minutes(710, 5, apower_w=420.0), *minutes(715, 5, energy_total_wh=81_371.0)]
    PowerLog.objects.bulk_create([*rows, *minutes(700, 9, apower_w=9e9)])
    each = known(run(710, None, 2.0), PUMP, rows[-1], NOON)
    assert (round(each.wh, 3), round(each.mean_w, 3)) == (70.833, 425.0)
    PowerLog.objects.all().delete()
    assert known(run(710, None, 2.0), PUMP, rows[-1], NOON).wh == 75.0, "by its peak power then"


@pytest.mark.django_db
def test_the_minutes_know_of_a_power_that_explains_the_counter() -> None:
    """Of its peak an open run has told the first reading alone: a washing machine heats later."""
    rows = [*minutes(600, 40, apower_w=2000.0), *minutes(640, 80, apower_w=100.0)]
    PowerLog.objects.bulk_create(rows)
    newest = row(timestamp=at(719), apower_w=100.0, energy_total_wh=1565.0)
    assert known(run(600, None, 0.0, peak_w=50.0), PUMP, newest, NOON).wh == 1465.0


def test_the_newest_row_alone_explains_a_load_that_starts_softly() -> None:
    newest = row(timestamp=at(719), energy_total_wh=170.0)
    assert known(run(710, None, 0.0, peak_w=50.0), PUMP, newest, NOON).wh == 70.0


@pytest.mark.django_db
def test_an_open_run_that_was_told_with_a_jump_has_no_part_below_nothing() -> None:
    PowerLog.objects.bulk_create(minutes(-60, 780, apower_w=430.0))
    newest = row(timestamp=at(719), energy_total_wh=100.0)
    midnights = [[MIDNIGHT.timestamp(), 81_300.0]]
    each = known(run(-60, None, 86_400.0, midnights=midnights), PUMP, newest, NOON)
    assert [each.within(day).wh for day in (YESTERDAY, TODAY)] == [430.0, 430.0 * 12]
    assert each.untold(TODAY) == Spent(43_200.0, 430.0 * 12)


def test_before_its_first_row_an_open_run_has_what_it_was_told_with() -> None:
    each = known(run(719.5, None, 0.0), PUMP, row(timestamp=at(700)), NOON)
    assert (each.wh, each.mean_w) == (0.0, 430.0)


def test_without_a_counter_it_is_power_and_time() -> None:
    each = known(run(660, None, 0.0, counter_wh=None), PUMP, None, NOON)
    assert each.wh == 430.0


@pytest.mark.parametrize(("changes", "until"), [({}, at(700)), ({"heard_at": at(695)}, at(695))])
def test_out_of_contact_it_goes_no_further_than_the_last_word(
    changes: dict[str, Any], until: Any
) -> None:
    silent = type(PUMP)("pump", "switch:2", "Shed", "Well", heard_at=at(700), connected=True)
    assert known(run(690, None, **changes), silent, None, NOON).until == until


def test_an_open_run_is_in_the_totals_up_to_the_last_midnight() -> None:
    newest = row(timestamp=at(719), energy_total_wh=400.0)
    since_yesterday = run(-60, None, 0.0, midnights=[[MIDNIGHT.timestamp(), 20.0]])
    each = known(since_yesterday, PUMP, newest, NOON)
    assert each.untold(YESTERDAY) == Spent()
    assert each.untold(TODAY) == Spent(43_200.0, 280.0)
    untold = known(run(-60, None, 0.0), PUMP, newest, NOON).untold(YESTERDAY)
    assert untold.seconds == timedelta(hours=1).total_seconds()
