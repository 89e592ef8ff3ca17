"""What no table can hold is kept from its neighbours, before it waits with them."""

import msgspec
import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due
from powerlog.database.store import fault
from powerlog.writer.row_writer import RowWriter
from tests.support.doubles import Database, sample
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH


@pytest.mark.parametrize(
    ("due", "why"),
    [
        (sample(0), None),
        (RunState(PUMP, SWITCH, T0, 430.0), None),
        (sample(0, device_id=""), "device id"),
        (sample(0, device_id="a\0b"), "device id"),
        (sample(0, device_id="x" * 101), "device id"),
        (msgspec.structs.replace(sample(0), channel="x" * 21), "channel"),
        (sample(0, apower_w=float("nan")), "not a number"),
        (sample(0, apower_w=float("inf")), "not a number"),
        (RunState(PUMP, SWITCH, T0, 430.0, claim_ws=float("nan")), "not a number"),
        (msgspec.structs.replace(sample(0), ts=10**12), "time"),
        (msgspec.structs.replace(sample(0), ts=-1), "time"),
        (RunState(PUMP, SWITCH, T0, 430.0, ended_at=1e12), "time"),
    ],
)
def test_what_no_table_can_hold_has_a_reason(due: Due, why: str | None) -> None:
    assert fault(due) == why


def test_it_is_rejected_before_the_queue_and_counted(database: Database) -> None:
    writer = RowWriter(database.store, linger_s=0.01)
    writer.submit([sample(0), sample(1, device_id="a\0b"), sample(2)])
    writer.stop()
    assert database.rows == [sample(0), sample(2)]
    assert writer.rejected == {"device id": 1}
