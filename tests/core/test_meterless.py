"""Which channels have a meter, and which draw nothing but a negative power: learned beside the
frames, told with the channels; on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection

from powerlog.core import protocol
from powerlog.core.channel_state import Own, Rules
from powerlog.core.device_info import About
from powerlog.core.sampler import Sampler
from powerlog.devices.registry import Registry
from powerlog.devices.session import Peer
from powerlog.models import Channel, Device
from tests.support.frames import PUMP, STATUS, T0, answer, delta, full, meter
from tests.support.pumps import run, total
from tests.test_models import row

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
EVERYTHING = Rules(channels=frozenset("*"))


class Connection:
    """A device that speaks to a registry, as the consumer lets it."""

    def __init__(self, registry: Registry, clock: Any) -> None:
        self.registry, self.clock = registry, clock
        self.sampler, self.peer = Sampler(EVERYTHING), Peer({})
        self.peer.heard_at = clock()
        registry.met(PUMP, self.peer, self.sampler)

    def says(self, text: str) -> None:
        frame, now = protocol.parse(text), self.clock()
        self.peer.heard_at = now
        if frame.full:
            self.registry.powers(frame)
        if new := self.sampler.strangers(frame):
            self.registry.meters(PUMP, new)
            self.registry.powers(frame)
        self.sampler.feed(frame, now)


class World:
    """A clock that stands still, a registry, and what it has told the database."""

    def __init__(self, traveller: Any) -> None:
        self.traveller, self.registry = traveller, Registry()

    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    def dials(self) -> Connection:
        return Connection(self.registry, self.now)

    def later(self, seconds: float) -> None:
        self.traveller.shift(seconds)
        self.registry.exchange(self.now())

    def metered(self) -> dict[str, bool]:
        self.registry.exchange(self.now())
        return dict(Channel.objects.order_by("channel").values_list("channel", "reports_power"))

    def negative(self) -> tuple[float, float] | None:
        """The power in W, and so many seconds after T0."""
        channel = Channel.objects.get()
        at = channel.negative_at
        return None if at is None else (channel.negative_w, at.timestamp() - T0)


@pytest.fixture
def world() -> Any:
    with time_machine.travel(T0, tick=False) as traveller:
        yield World(traveller)


UNMETERED = {
    "Pro 3 without a meter": {"switch:0": False},
    "RGBW PM, four lights": {"light:0": False},
    "Plus Uni with a pulse counter": {"switch:0": False},
    "EM Gen3": {"em1:0": True, "switch:0": False},
}


@pytest.mark.parametrize("model", STATUS)
def test_of_a_status_it_is_known_what_has_a_meter(world: World, model: str) -> None:
    world.dials().says(full(T0, **STATUS[model]))
    found = world.metered()
    assert found == UNMETERED.get(model, dict.fromkeys(found, True))


@pytest.mark.parametrize("output", [True, False])
def test_a_relay_that_is_switched_has_no_meter_for_that(world: World, output: bool) -> None:
    device = world.dials()
    device.says(full(T0, switch_0={"output": not output}))
    device.says(delta(T0, switch_0={"output": output, "source": "button"}))
    world.later(10)
    assert world.metered() == {"switch:0": False}


@pytest.mark.parametrize(
    "message",
    [
        delta(T0, switch_0={"apower": 5.3}),
        delta(T0, switch_0={"apower": -1.0}),
        delta(T0, switch_0={"aenergy": {"total": 0.0}}),
        full(T0, switch_0={"output": False, "apower": 0.0}),
        answer(switch_0={"output": False, "apower": 0}),
    ],
)
def test_a_power_that_is_reported_later_is_a_meter_for_good(world: World, message: str) -> None:
    device = world.dials()
    device.says(full(T0, switch_0={"output": True}))
    assert world.metered() == {"switch:0": False}
    world.later(1)
    device.says(message)
    world.later(10)
    assert world.metered() == {"switch:0": True}
    world.registry.gone(PUMP)
    world.dials().says(full(T0, switch_0={"output": True}))
    world.later(70)
    assert world.metered() == {"switch:0": True}


@pytest.mark.parametrize("component", [meter(None, 812.5), {"output": True, "apower": None}])
def test_a_meter_that_has_failed_is_still_one(world: World, component: dict[str, Any]) -> None:
    world.dials().says(full(T0, switch_0=component))
    assert world.metered() == {"switch:0": True}


def test_what_a_short_connection_has_drawn_is_known(world: World) -> None:
    device = world.dials()
    device.says(full(T0, switch_0={"output": True}))
    device.says(delta(T0, switch_0={"apower": 60.0}))
    world.registry.gone(PUMP)
    assert world.metered() == {"switch:0": True}


def test_a_full_status_of_invented_channels_fills_no_memory(world: World) -> None:
    device = world.dials()
    device.says(full(T0, **{f"pm1_{number}": {"apower": 1.0} for number in range(300)}))
    assert len(world.metered()) == len(world.registry._here[PUMP].powered) == 64


def reversed_clamp(watts: float) -> str:
    return delta(None, em1_0={"act_power": watts})


def test_the_last_negative_power_is_told_at_once_and_then_once_a_minute(world: World) -> None:
    device = world.dials()
    device.says(full(None, em1_0={"act_power": 0.0}))
    world.later(10)
    assert world.negative() is None
    device.says(reversed_clamp(-1250.0))
    world.later(1)
    world.later(9)
    assert world.negative() == (-1250.0, 10.0)
    for _ in range(4):
        device.says(reversed_clamp(-1300.0))
        world.later(10)
    assert world.negative() == (-1250.0, 10.0)
    device.says(reversed_clamp(-1320.0))
    world.later(30)
    assert world.negative() == (-1320.0, 60.0)
    device.says(reversed_clamp(0.0))
    world.later(70)
    assert world.negative() == (-1320.0, 60.0)


@pytest.mark.parametrize(
    ("watts", "own_w", "hint"), [(-5.0, None, 0), (-5.1, None, 1), (-60.0, 70.0, 0)]
)
def test_what_is_within_the_threshold_is_no_hint(
    world: World, watts: float, own_w: float | None, hint: int
) -> None:
    device = world.dials()
    device.sampler.own = {(PUMP, "em1:0"): Own(True, own_w)}
    device.says(full(None, em1_0={"act_power": watts}))
    world.later(10)
    assert Channel.objects.filter(negative_at__isnull=False).count() == hint


def test_a_channel_that_has_run_once_has_no_negative_power_to_tell(world: World) -> None:
    device = world.dials()
    device.says(full(None, em1_0={"act_power": -800.0}))
    world.later(10)
    assert world.negative() == (-800.0, 0.0)
    run(0, 1, device_id=PUMP, channel="em1:0").save()
    world.later(70)
    device.says(reversed_clamp(-700.0))
    world.later(70)
    assert world.negative() is None


def test_a_channel_of_another_connection_keeps_what_is_known_of_it(world: World) -> None:
    device = world.dials()
    device.says(full(None, em1_0={"act_power": -800.0}))
    world.registry.gone(PUMP)
    world.later(10)
    world.registry = Registry()
    world.dials().says(full(None, em1_0={"act_power": 0.0}))
    world.later(10)
    assert world.negative() == (-800.0, 0.0)


def test_what_staff_call_a_channel_and_what_it_is_called_stays(world: World) -> None:
    device = world.dials()
    device.says(full(None, em1_0={"act_power": -800.0}))
    world.registry.learn(PUMP, About(channels={"em1:0": "Grid"}))
    world.later(10)
    Channel.objects.update(name="Roof", logged=False)
    world.registry.gone(PUMP)
    world.later(10)
    world.dials().says(full(None, em1_0={"act_power": -900.0}))
    world.later(10)
    channel = Channel.objects.get()
    assert (channel.name, channel.reported_name, channel.logged) == ("Roof", "Grid", False)
    assert channel.negative_w == -900.0


@pytest.mark.parametrize(
    ("history", "metered"),
    [
        (lambda: None, False),
        (lambda: run(0, 1).save(), True),
        (lambda: total().save(), True),
        (lambda: row().save(), True),
        (lambda: row(channel="switch:1").save(), False),
    ],
    ids=["nothing", "a run", "a day", "a row", "another channel"],
)
def test_channels_with_a_past_had_a_meter(history: Callable[[], Any], metered: bool) -> None:
    Device.objects.create(device_id="pump")
    Channel.objects.create(device_id="pump", channel="switch:2")
    history()
    migration = import_module("powerlog.migrations.0006_reported_power")
    with connection.schema_editor() as editor:
        migration.mark_those_with_history(apps, editor)
    assert Channel.objects.get().reports_power is metered
