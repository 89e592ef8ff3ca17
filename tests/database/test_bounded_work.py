"""However many runs a day has, and whichever channels they are of: a batch does not read them."""

from datetime import UTC, datetime

import msgspec
import pytest

from powerlog.database.store import store
from powerlog.models import DayTotal, PowerLog
from powerlog.models import Run as RunRow
from powerlog.reports import channels
from tests.database.test_store import run
from tests.support.doubles import sample
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH
from tests.support.work import ROWS, RUNS, fill, steps

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
MORNING = datetime.fromtimestamp(T0 - T0 % 86_400, UTC)
MANY = 60_000
FEW_STEPS = 300
OTHER = "shellyplus1pm-aabbccddeeff"


@pytest.fixture
def crowded() -> None:
    """A relay has chattered all day."""
    fill(RUNS, MANY, MORNING, 1, PUMP)


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("device_id", [PUMP, OTHER])
def test_a_batch_does_not_read_the_runs_that_a_day_has(device_id: str) -> None:
    told = [run(T0 + n + 0.25, T0 + n + 0.5, device_id=device_id, booked_wh=1.0) for n in range(10)]
    started = [msgspec.structs.replace(each, ended_at=None, end="") for each in told[-1:]]
    assert steps(lambda: store(told[:-1] + started)) < FEW_STEPS
    assert steps(lambda: store(told[-1:])) < FEW_STEPS
    total = DayTotal.objects.get(device_id=device_id)
    assert (total.runs, total.run_s, total.energy_wh) == (10, 2.5, 10.0)


@pytest.mark.usefixtures("crowded")
def test_a_run_whose_end_was_lost_is_ended_without_reading_those_of_other_channels() -> None:
    fill(ROWS, MANY, MORNING, 60, PUMP)
    store([run(T0, device_id=OTHER), sample(1, device_id=OTHER)])
    assert steps(lambda: store([run(T0 + 7200.0, device_id=OTHER)])) < FEW_STEPS
    first, second = RunRow.objects.filter(device_id=OTHER).order_by("started_at")
    assert (first.ended_at, first.end) == (sample_time(1), "lost contact")
    assert second.ended_at is None


@pytest.mark.usefixtures("crowded")
def test_a_page_finds_the_newest_of_a_channel_without_reading_those_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(ROWS, MANY, MORNING, 60, PUMP)
    store([run(T0 - 90_000.0, device_id=OTHER), sample(-1500, device_id=OTHER)])
    monkeypatch.setattr(channels, "DEFAULT_DB_ALIAS", "writer")  # where steps are counted
    keys = [(OTHER, SWITCH), (PUMP, SWITCH), ("nobody", SWITCH)]
    for model in (RunRow, PowerLog):
        assert steps(lambda: channels.newest(model, keys)) < FEW_STEPS  # noqa: B023 (used at once)
        assert steps(lambda: channels.newest(model, keys, MORNING)) < FEW_STEPS  # noqa: B023
        assert channels.newest(model, keys).keys() == {*keys[:2]}
        assert channels.newest(model, keys, MORNING).keys() == {*keys[:1]}


def sample_time(minute: int) -> datetime:
    return datetime.fromtimestamp(T0 + 60 * minute, UTC)
