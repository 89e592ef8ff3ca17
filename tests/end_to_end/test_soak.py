"""Ten minutes in which everything breaks, again and again, and what is in the database after it.

.venv/bin/pytest -m soak -n 0; SOAK_MINUTES and SOAK_SEED change how long and which faults.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.accuracy.test_end_to_end import found
from tests.support.chaos import ENDED_WITHIN_S, Chaos
from tests.support.faults import new_database, small_disk
from tests.support.fleet import Shelly
from tests.support.postgres import Postgres
from tests.support.servers import serve, until
from tests.support.soak_judge import Score

DEVICES = 40
DISK_BYTES = 16 * 1024 * 1024
PROGRESS_S = 20.0
SHOWN = 40
BACK_WITHIN_S = 60
MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or Random().randrange(1, 10**6)

pytestmark = pytest.mark.soak


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """The disk of the spool, if the test may mount one."""
    with ExitStack() as mounted:
        try:
            mounted.enter_context(small_disk(tmp_path / "spool", DISK_BYTES))
        except PermissionError:
            yield None
        else:
            yield tmp_path / "spool"


async def soak(chaos: Chaos, shellys: list[Shelly]) -> None:
    """All devices live while all things break, until nothing is broken and nothing waits.

    At the end all are connected once more: after a SIGKILL only a device that is back can tell what
    its open runs have used.
    """
    began = time.time()
    lives = [asyncio.create_task(shelly.live(lambda: chaos.server.socket)) for shelly in shellys]
    chaotic = asyncio.create_task(chaos.run(shellys))
    while time.time() - began < 60 * MINUTES:
        await asyncio.wait([chaotic], timeout=PROGRESS_S)
        if chaotic.done():
            break
        tell(progress(chaos, shellys, time.time() - began))
    chaos.over.set()
    await chaotic
    for shelly in shellys:
        shelly.come_back()
    all_back = lambda: all(shelly.is_back for shelly in shellys)  # noqa: E731
    await asyncio.to_thread(until, lambda: all_back() and at_rest(chaos), BACK_WITHIN_S)
    for life in lives:
        life.cancel()
    await asyncio.wait(lives)
    await asyncio.to_thread(until, lambda: at_rest(chaos, devices=0), BACK_WITHIN_S)


def at_rest(chaos: Chaos, devices: int | None = None) -> bool:
    status = chaos.server.status()
    gone = devices is None or status["devices connected"] == str(devices)
    return gone and (status["rows waiting"], status["spool"]) == ("0", "empty")


def progress(chaos: Chaos, shellys: list[Shelly], passed_s: float) -> str:
    done = ", ".join(f"{count} {what}" for what, count in sorted(chaos.done.items()))
    sent = sum(len(shelly.sent) for shelly in shellys)
    return f"{passed_s:4.0f} s, {sent} messages; {done}"


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (a line for whoever waits)


def test_nothing_is_lost_whatever_breaks(
    postgres: Postgres,
    disk: Path | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CHANNELS", "*")
    postgres.start()
    url = new_database(postgres)
    chaos = Chaos(SEED, lambda: serve(url, tmp_path), postgres, url, disk)
    shellys = [Shelly(number, f"{SEED} {number}") for number in range(DEVICES)]
    try:
        until(chaos.server.answers)
        with capsys.disabled():
            tell(f"\nSOAK_SEED={SEED}, {'' if disk else 'no '}disk that may fill up")
            asyncio.run(soak(chaos, shellys))
        chaos.server.process.terminate()
        assert chaos.server.process.wait(ENDED_WITHIN_S) == 0
    finally:
        chaos.server.close()
    score = Score(chaos.outages, chaos.offs)
    for shelly in shellys:
        score.judge(shelly, found(chaos.server, shelly.simulated.device_id))
    score.count["twice"] = len(chaos.server.rows()) - score.count["rows"]
    with capsys.disabled():
        tell("\n".join([score.table(), *score.findings[:SHOWN]]))
    assert not score.findings
    assert not score.count["twice"]
    for log in tmp_path.glob("serve-*.log"):
        assert "Traceback" not in log.read_text()
