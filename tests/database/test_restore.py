"""The past of channels, on both databases: however much there is of it, a restore reads little."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from powerlog.core.sampler import MAX_CHANNELS, Snapshot
from powerlog.database.rebuild import rebuild
from powerlog.database.restore import recall
from powerlog.database.store import store
from powerlog.models import DayTotal, PowerLog
from tests.database.test_store import run
from tests.support.doubles import sample
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH
from tests.support.work import ROWS, RUNS, fill, steps

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
MORNING = datetime.fromtimestamp(T0 - T0 % 86_400, UTC)
MANY = 60_000
FEW_STEPS = 300
A_DAY = 3_000  # steps for 1440 minutes
OTHER = "shellyplus1pm-aabbccddeeff"


@pytest.fixture
def crowded() -> None:
    """A relay has chattered all day."""
    fill(RUNS, MANY, MORNING, 1, PUMP)


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("before", [None, T0 + 7200.0])
def test_a_restore_does_not_read_the_runs_that_are_over(before: float | None) -> None:
    later = run(T0 + 6000.0)
    store([later, sample(100), sample(100, device_id=OTHER), run(T0 + 6000.0, device_id=OTHER)])
    found: list[Snapshot] = []
    asked = [(PUMP, SWITCH), (OTHER, SWITCH), ("unknown", SWITCH)]
    assert steps(lambda: found.extend(recall(asked, before))) < FEW_STEPS
    assert {past.run.device_id: past.run for past in found if past.run} == {
        PUMP: later,
        OTHER: run(T0 + 6000.0, device_id=OTHER),
    }


def test_a_restore_reads_one_day_of_the_rows_of_a_long_run() -> None:
    start = datetime.fromtimestamp(T0, UTC)
    fill(ROWS, MANY, start, 60, PUMP)
    rebuild(PUMP, SWITCH)
    in_its_middle = {"device_id": PUMP, "timestamp": start + timedelta(days=20)}
    PowerLog.objects.filter(**in_its_middle).update(apower_w=500.0)
    DayTotal.objects.filter(day=in_its_middle["timestamp"].date()).update(peak_w=500.0)
    store([run(T0)])
    found: list[Snapshot] = []
    assert steps(lambda: found.extend(recall([(PUMP, SWITCH)]))) < A_DAY
    assert found[0].run == run(T0, peak_w=500.0)


def test_a_restore_reads_no_rows_from_before_the_run_was_written_last() -> None:
    fill(ROWS, MANY, datetime.fromtimestamp(T0, UTC), 60, PUMP)
    left = run(T0, heard_at=T0 + 60.0 * MANY, booked_wh=1.0, peak_w=512.0)
    store([left])
    found: list[Snapshot] = []
    assert steps(lambda: found.extend(recall([(PUMP, SWITCH)]))) < FEW_STEPS
    assert found[0].run == left


def test_a_restore_finds_the_peak_of_the_minutes_since_the_run_was_written() -> None:
    left = run(T0, heard_at=T0 + 630.0, booked_wh=1.0)
    store([sample(1), left, sample(12, apower_w=600.0), sample(13)])
    (past,) = recall([(PUMP, SWITCH)])
    assert past == Snapshot(sample(13), msgspec.structs.replace(left, peak_w=600.0))


def test_a_restore_brings_no_more_open_runs_than_a_connection_has_channels() -> None:
    made = [run(T0 + n, channel=f"switch:{n}") for n in range(200)]
    rows = [msgspec.structs.replace(sample(1), channel=each.channel) for each in made]
    store([*rows, *made, sample(1, device_id=OTHER), run(T0, device_id=OTHER)])
    found = recall([(PUMP, "switch:99"), (OTHER, SWITCH)])
    assert MAX_CHANNELS < len(found) < MAX_CHANNELS + 4
    channels = {(past.row.device_id, past.row.channel) for past in found if past.run}
    assert channels > {(PUMP, "switch:99"), (OTHER, SWITCH)}


def test_a_restore_of_a_new_device_does_not_read_the_rows_of_others() -> None:
    fill(ROWS, MANY, MORNING, 60, PUMP)
    assert steps(lambda: recall([(OTHER, SWITCH), ("unknown", SWITCH)])) < FEW_STEPS
