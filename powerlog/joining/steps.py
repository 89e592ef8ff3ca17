"""Join two devices: end open runs, move runs and rows, and remove the old line at the end.

The promise: each step is a short transaction of its own, so that the writer never waits for long.
All totals are right after each of them. A join that is interrupted goes on where it was when it is
started again. Each transaction checks first that the two may still be joined.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

from powerlog.database.rebuild import hold_totals
from powerlog.database.retention import PAUSE_S
from powerlog.database.sql import WRITER
from powerlog.joining import history
from powerlog.joining.device_row import Pair, fix_spans, join_lines
from powerlog.joining.history import Batch, Stretch
from powerlog.joining.plan import Plan, Refused, objection
from powerlog.models import Device, PowerLog, Run

T = TypeVar("T")
ATTEMPTS = 3


@dataclass
class Moved:
    """What has moved so far. left_out: minutes that the new device has. over: all is done."""

    minutes: int = 0
    left_out: int = 0
    runs: int = 0
    over: bool = False


def join(
    plan: Plan, user_id: int, pause: Callable[[float], object] = time.sleep
) -> Iterator[Moved]:
    """Join the two devices. Yield what has moved after each transaction; stop iterating to stop.

    user_id: the user in the history entry of the new device. Raises Refused if the two can no
    longer be joined, and Django's database errors.
    """
    moved = Moved()
    entry = _whole(plan, lambda pair: _begin(plan, pair, user_id))
    while not moved.over:
        for batch in _batches(plan, Run, history.move_runs):
            moved.runs += batch.moved
            yield moved
            pause(PAUSE_S)
        for batch in _batches(plan, PowerLog, history.move_rows):
            moved.minutes += batch.moved
            moved.left_out += batch.left_out
            yield moved
            pause(PAUSE_S)
        moved.over = _whole(plan, lambda pair: _finish(plan, pair, moved, entry))
    yield moved


def _batches(
    plan: Plan, model: type[PowerLog | Run], move: Callable[[Stretch], Batch]
) -> Iterator[Batch]:
    channel: str | None = ""
    while channel := history.next_channel(model, plan.old_id, channel or ""):
        where = Stretch(plan.old_id, plan.new_id, channel)
        while (batch := _moved(plan, move, where)).last:
            yield batch
            where = where._replace(after=batch.last)


def _moved(plan: Plan, move: Callable[[Stretch], Batch], where: Stretch) -> Batch:
    return _whole(plan, lambda pair: move(where))


def _whole(plan: Plan, step: Callable[[Pair], T]) -> T:
    """Run the step as one transaction, which holds the two lines."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(using=WRITER):
                return step(_held(plan))
        except (IntegrityError, OperationalError) as exc:
            # The writer has just written the same minute or run, or counts on the same days.
            deadlock = isinstance(exc.__cause__, DeadlockDetected)
            if attempt == ATTEMPTS or not (deadlock or isinstance(exc, IntegrityError)):
                raise
    raise AssertionError  # the last attempt has raised


def _held(plan: Plan) -> Pair:
    ids = (plan.old_id, plan.new_id)
    held = Device.objects.using(WRITER).select_for_update().filter(device_id__in=ids)
    found = {each.device_id: each for each in held.order_by("pk")}
    old, new = map(found.get, ids)
    if (why := objection(*ids, old, new)) or new is None:
        raise Refused(why)
    return Pair(*ids, old, new)


def _begin(plan: Plan, pair: Pair, user_id: int) -> LogEntry:
    fix_spans(pair)
    history.end_open_runs(pair.old_id)
    return LogEntry.objects.using(WRITER).create(
        user_id=user_id,
        content_type_id=ContentType.objects.get_for_model(Device).pk,
        object_id=str(pair.new.pk),
        object_repr=str(pair.new)[:200],
        action_flag=CHANGE,
        change_message=f"Began to take over {_summary(plan)}.",
    )


def _finish(plan: Plan, pair: Pair, moved: Moved, entry: LogEntry) -> bool:
    """Do the last step. False: a spool has written more for the old device, which moves first."""
    hold_totals()
    history.end_open_runs(pair.old_id)
    if any(history.next_channel(model, pair.old_id) for model in (Run, PowerLog)):
        return False
    history.move_days(pair.old_id, pair.new_id)
    join_lines(pair)
    left_out = f" Minutes that both had: {moved.left_out} left out." if moved.left_out else ""
    entry.change_message = f"Took over {_summary(plan)}.{left_out}"
    entry.save(using=WRITER, update_fields=["change_message"])
    return True


def _summary(plan: Plan) -> str:
    span = f", from {plan.first} to {plan.last}" if plan.first else ""
    counts = f"minutes {plan.minutes}, runs {plan.runs}, day totals {plan.days}"
    return f"the history of {plan.old_id}: {counts}{span}"
