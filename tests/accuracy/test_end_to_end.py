"""Made-up lives of devices through the real server and a real PostgreSQL, and what came of them."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from websockets.sync.client import connect

from benchmarks.accuracy.playback import Played, play
from benchmarks.accuracy.results import Score
from benchmarks.accuracy.scenarios import Life
from benchmarks.accuracy.scoring import score_life
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample
from tests.support.servers import Server, daphne, running, until

SEEDS = range(1000, 1024)


def live(server: Server, life: Life) -> None:
    """Every connection of this life after the other, each message with its moment."""
    for _, group in groupby(life.messages, key=lambda message: message.connection):
        messages = list(group)
        handled = int(server.status()["frames"]) + len(messages)
        with connect(server.socket, open_timeout=20) as device:
            for message in messages:
                device.send(f"{message.received!r} {message.text}")
            until(lambda: int(server.status()["frames"]) == handled)  # noqa: B023 (used at once)


def found(server: Server, device_id: str) -> Played:
    """What the database holds of this device."""
    played = Played({}, {})
    with server.connect() as connection:
        for row in connection.execute(
            "SELECT extract(epoch FROM timestamp)::int, device_id, channel, apower_w, voltage_v, "
            "current_a, energy_total_wh, source FROM power_logs WHERE device_id = %s",
            [device_id],
        ):
            sample = Sample(*row)
            played.rows.setdefault(sample.channel, {})[sample.ts // 60] = sample
        for channel, start, end, energy_wh, peak_w, how in connection.execute(
            "SELECT channel, extract(epoch FROM started_at)::float8, "
            'extract(epoch FROM ended_at)::float8, energy_wh, peak_w, "end" '
            "FROM runs WHERE device_id = %s",
            [device_id],
        ):
            run = RunState(device_id, channel, start, peak_w, None, energy_wh, 0.0, end, how)
            played.runs.setdefault(channel, {})[start] = run
    return played


def test_the_server_makes_of_a_life_what_the_rules_make_of_it(
    ready_postgres: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANNELS", "*")
    monkeypatch.setenv("MAX_FRAMES_PER_S", "100000")  # hours pass in seconds
    score = Score()
    with running(
        daphne(ready_postgres(), tmp_path, "tests.support.timed_asgi:application")
    ) as server:
        lives = [Life(seed, hours=1.0) for seed in SEEDS]
        for life in lives:
            live(server, life)
        until(lambda: server.status()["rows waiting"] == "0")
        for life in lives:
            played = found(server, life.device_id)
            assert played.rows == play(life).rows
            score_life(life, played, score)
        assert "Traceback" not in server.output
    assert score.rows > 500
    assert score.findings == []
