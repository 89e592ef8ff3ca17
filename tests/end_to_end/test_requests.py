"""Devices that only speak when they are asked, at a real Daphne with little patience."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.support.frames import PUMP, delta, full, meter, text
from tests.support.knocking import dial
from tests.support.servers import PATIENCE_S, Server, daphne, running, until


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("impatient")
    url = ready_sqlite(folder)
    with running(daphne(url, folder, "tests.support.impatient_asgi:application")) as server:
        yield server
        assert "Traceback" not in server.output
        assert " WARNING " not in server.output


def asked(device: ClientConnection) -> tuple[int, str]:
    message = json.loads(device.recv(PATIENCE_S))
    return message["id"], message["method"].removeprefix("Shelly.")


def status(watts: float, wh: float) -> dict[str, Any]:
    return {"switch:2": meter(watts, wh)}


def names(server: Server, device_id: str) -> tuple[str, ...] | None:
    """What the device and its channel are called there."""
    with closing(server.connect()) as connection:
        return connection.execute(
            "SELECT d.reported_name, c.reported_name FROM devices d "
            "JOIN channels c ON c.device_id = d.device_id WHERE d.device_id = ?",
            [device_id],
        ).fetchone()


def runs_of(server: Server, device_id: str) -> list[tuple[float, str]]:
    """Energy and how it ended of the runs that were left when their connection ended."""
    with closing(server.connect()) as connection:
        return connection.execute(
            'SELECT energy_wh, "end" FROM runs WHERE device_id = ? AND heard_at IS NOT NULL',
            [device_id],
        ).fetchall()


def test_a_device_that_only_ever_answers_is_asked_again_and_its_run_goes_on(
    server: Server,
) -> None:
    with dial(server) as device:
        assert asked(device) == (1, "NotifyStatus")
        device.send(text(id=1, src=PUMP, error={"code": 404}))
        seen: list[str] = []
        while seen.count("GetStatus") < 5:
            number, method = asked(device)
            seen.append(method)
            with pytest.raises(TimeoutError):  # nothing more before this is answered
                device.recv(0.05)
            result = status(430.0, 1000.0 + len(seen)) if method == "GetStatus" else {}
            device.send(text(id=number, src=PUMP, dst="collector", result=result))
        assert seen[:3] == ["GetStatus", "GetDeviceInfo", "GetConfig"]
        assert seen[3:] == ["GetStatus"] * 4
    (run,) = until(lambda: runs_of(server, PUMP))
    assert run[0] > 0  # the energy between the first answer and the last
    assert run[1] == ""


def test_a_device_that_answers_nothing_is_not_harmed(server: Server) -> None:
    with dial(server) as device:
        device.send(full(time.time(), "mute", switch_2=meter(430.0)))
        while [asked(device)[1] for _ in range(2)] != ["GetStatus", "GetStatus"]:
            pass
        device.send(delta(time.time(), "mute", switch_0=meter(70.0)))
        until(lambda: ("mute", "switch:0") in [row[:2] for row in server.rows()])
    lines = until(lambda: re.findall(r"INFO mute \(.*?\) (.*)", server.output)[1:])
    assert lines == ["gone, 0 bad frames"]  # and before it that it is connected


def test_a_name_that_its_owner_changes_is_seen(server: Server) -> None:
    def answer(name: str) -> None:
        number, method = asked(device)
        results: dict[str, Any] = {
            "GetStatus": status(1.0, 1.0),
            "GetDeviceInfo": {"app": "Pro4PM", "ver": "1.7.5", "name": name},
            "GetConfig": {"switch:2": {"id": 2, "name": f"Pump of {name}"}},
        }
        device.send(text(id=number, src="named", result=results.get(method)))

    with dial(server) as device:
        for _ in range(4):
            answer("Shed")
        until(lambda: names(server, "named") == ("Shed", "Pump of Shed"))
        event = {"component": "switch:2", "event": "config_changed", "cfg_rev": 12}
        device.send(text(src="named", method="NotifyEvent", params={"events": [event]}))
        while names(server, "named") != ("Well", "Pump of Well"):
            answer("Well")
