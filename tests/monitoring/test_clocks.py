"""Whose clock is wrong: what the log, `/` and /metrics have of it."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.sync.client import connect

from powerlog.core.frame import Frame, Reading
from powerlog.core.sampler import Rules, Sampler
from powerlog.devices.connections import traffic
from powerlog.monitoring import metrics
from powerlog.monitoring.clocks import Clocks, ClockWatch, fault, seen, total
from powerlog.monitoring.health import lines
from tests.monitoring.test_health import NOW, process
from tests.monitoring.test_metrics import samples
from tests.support.frames import delta
from tests.support.servers import daphne, running, until

RULES = Rules(frozenset({"switch:0"}))


def connection(device_id: str, ahead_s: float | None, now: float = NOW, ago_s: float = 1.0) -> Any:
    """A device with this clock that was heard a second ago; None: it has sent no ts."""
    sampler, heard_at = Sampler(RULES), now - ago_s
    ts = None if ahead_s is None else heard_at + ahead_s
    sampler.feed(Frame(device_id, ts, False, (Reading("switch:0", 9.0),)), heard_at)
    return SimpleNamespace(
        sampler=sampler, peer=SimpleNamespace(device_id=device_id, heard_at=heard_at)
    )


def fleet(*ahead_s: float | None, **how: float) -> list[Any]:
    return [connection(f"device-{number}", each, **how) for number, each in enumerate(ahead_s)]


def test_it_counts_whose_clocks_are_refused_and_by_how_much() -> None:
    found = seen(fleet(300.0, 310.0, 400.0, -200.0, 0.4, -119.0), NOW)
    assert found == Clocks(6, 3, 1, 310.0, 200.0, "device-3")


def test_a_device_that_does_not_know_the_time_does_not_count() -> None:
    booted = 30.0 - NOW  # half a minute after it has booted its clock is at 1970
    assert seen(fleet(None, booted, 0.1), NOW).known == 1
    stranger = connection("stranger", 0.0)
    stranger.peer.device_id = "who has reported no channel"
    assert seen([stranger], NOW) == Clocks()


def test_one_that_has_been_quiet_since_does_not_count() -> None:
    assert seen(fleet(310.0, 0.5, ago_s=150.0), NOW) == Clocks()


@pytest.mark.parametrize("seconds", [310.0, -310.0])
def test_a_clock_that_was_set_meanwhile_is_not_held_against_it(seconds: float) -> None:
    connections = fleet(-seconds, -seconds, -seconds)
    later = NOW + 1.0 + seconds
    for each in connections:  # they speak, with answers, which have no ts
        each.peer.heard_at = later
    assert seen(connections, later).known == 0


def test_a_refused_clock_is_forgotten_once_it_is_believed() -> None:
    (each,) = connections = fleet(310.0)
    each.sampler.feed(Frame("device-0", NOW + 2.0, False, (Reading("switch:0", 9.0),)), NOW + 1.0)
    assert seen(connections, NOW + 1.0) == Clocks(known=1)


def test_the_limit_is_the_tolerance_and_a_minute_where_none_is_believed(settings: Any) -> None:
    settings.SAMPLING_RULES = Rules(frozenset(), clock_tolerance_s=0.0)
    connections = fleet(59.0, 1.0)
    for each in connections:
        device = each.sampler.device(each.peer.device_id)
        device.clock_refused = True
        device.refused = (NOW - 1.0 + device.clock_offset_s, NOW - 1.0)
    assert seen(connections, NOW) == Clocks(known=2)


@pytest.mark.parametrize(
    ("clocks", "text"),
    [
        (Clocks(15), ""),
        (
            Clocks(15, 14, 0, 310.4),
            "the clocks of 14 of 15 devices are 310 s ahead of this machine's: set its time (NTP)",
        ),
        (
            Clocks(3, 0, 3, 0.0, 7 * 3600.0),
            "the clocks of 3 of 3 devices are 7 h behind this machine's: set its time (NTP)",
        ),
        (
            Clocks(10, 4, 5, 310.0, 3600.0),
            "the clocks of 5 of 10 devices are 3600 s behind this machine's: "
            "set the time of these devices",
        ),
        (
            Clocks(2, 2, 0, 56 * 365.25 * 86_400),
            "the clocks of 2 of 2 devices are 20,454 days ahead of this machine's: "
            "set the time of these devices",
        ),
        (
            Clocks(15, 1, 0, 310.0, one="pump"),
            "the clock of 1 of 15 devices is 310 s ahead of this machine's: "
            "set the time of that device",
        ),
        (
            Clocks(1, 0, 1, 0.0, 310.0, "pump"),
            "the clock of the device is 310 s behind this machine's: set the time of that device",
        ),
    ],
)
def test_the_sentence_names_whose_clock_is_to_be_set(clocks: Clocks, text: str) -> None:
    assert fault(clocks).text == text


def test_several_processes_are_added_up() -> None:
    parts = [Clocks(5, 4, 0, 310.0, 0.0, "a"), Clocks(6, 1, 1, 90.0, 200.0, "b"), Clocks()]
    assert total(parts) == Clocks(11, 5, 1, 310.0, 200.0, "b")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClockWatch]:
    """Of one process alone, which has looked once before."""
    monkeypatch.setattr(traffic, "devices", {})
    watch = ClockWatch()
    watch.everybody = lambda: [process(os.getpid(), clocks=watch.seen)]
    watch.look(NOW, 5000.0)
    return watch


def look(watch: ClockWatch, connections: list[Any], times: int = 3) -> None:
    traffic.devices = dict(enumerate(connections))
    for _ in range(times):
        watch.look(NOW, 5000.0)


def test_what_lasts_is_one_line_and_one_when_it_is_over(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = fleet(*[310.0] * 14, 0.1), fleet(*[0.1] * 15)
    look(watch, wrong, 2)
    assert not caplog.messages
    look(watch, wrong, 9)
    look(watch, right, 9)
    assert caplog.messages == [
        "the clocks of 14 of 15 devices are 310 s ahead of this machine's: set its time (NTP)",
        "the clocks of the devices agree with this machine's again",
    ]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_what_comes_and_goes_is_no_line(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(9):
        look(watch, fleet(310.0, 310.0, 310.0), 2)
        look(watch, fleet(0.1, 0.1, 0.1), 1)
    assert not caplog.messages


def test_a_single_wrong_clock_is_the_devices_and_it_is_named(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    look(watch, fleet(0.1, -310.0, 0.2))
    (line,) = caplog.messages
    assert line.endswith(" is 310 s behind this machine's: set the time of that device (device-1)")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3600.0, "3600 s forward: it was set, or the machine slept"),
        (-61.0, "61 s back: it was set"),
        (59.0, ""),
        (-59.0, ""),
    ],
)
def test_a_jump_of_this_machines_clock_is_one_line(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture, seconds: float, text: str
) -> None:
    watch.look(NOW + 60.0 + seconds, 5060.0)
    watch.look(NOW + 120.0 + seconds, 5120.0)
    assert caplog.messages == ([f"this machine's clock has jumped {text}"] if text else [])


def test_of_several_processes_one_speaks_for_all(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = process(os.getpid() - 1, clocks=Clocks(9, 9, 0, 310.0))
    watch.everybody = lambda: [other, process(os.getpid(), clocks=watch.seen)]
    look(watch, fleet(310.0))
    watch.look(NOW + 999.0, 5000.0)
    assert not caplog.messages
    watch.everybody = lambda: [process(os.getpid(), clocks=watch.seen), other]
    look(watch, fleet(310.0))
    assert "the clocks of 10 of 10 devices are 310 s ahead" in caplog.text


def test_an_error_of_one_look_is_logged_once_and_does_not_end_the_others(
    watch: ClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    traffic.devices = {"pump": SimpleNamespace(peer=None)}
    for _ in range(2):
        watch.look_again()
    assert caplog.messages == ["the clocks cannot be compared"]


def test_the_status_and_the_metrics_have_it() -> None:
    everybody = [process(1, clocks=Clocks(2, 2, 0, 310.0)), process(2, clocks=Clocks(3, 1, 1))]
    assert lines(everybody)["clocks"] == (
        "the clocks of 3 of 5 devices are 310 s ahead of this machine's: set its time (NTP)"
    )
    assert "clocks" not in lines([process(1, clocks=Clocks(2))])
    told = samples(metrics.text(everybody, 2))
    for clock, count in {"believed": 1, "ahead": 1, "behind": 1}.items():
        assert told["device_clocks", "2", clock] == count


def test_a_real_server_with_a_wrong_clock_says_so(ready_database: str, tmp_path: Path) -> None:
    server = daphne(ready_database, tmp_path, "tests.support.quick_looks_asgi:application")
    with running(server), ExitStack() as stack:
        devices = {name: stack.enter_context(connect(server.socket)) for name in ("a", "b", "c")}

        def speak(ahead_s: float) -> None:
            for name, device in devices.items():
                device.send(delta(time.time() + ahead_s, name, switch_0={"apower": 9.0}))

        speak(310.0)
        told = "the clocks of 3 of 3 devices are 310 s ahead of this machine's: set its time (NTP)"
        until(lambda: f"WARNING {told}\n" in server.output)
        assert server.status()["clocks"] == told
        speak(0.0)
        until(lambda: "agree with this machine's again" in server.output)
        assert "clocks" not in server.status()
