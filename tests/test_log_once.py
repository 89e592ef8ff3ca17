"""What a stranger can do again and again fills no log."""

import logging
from types import SimpleNamespace

import pytest

from powerlog import log_once as module
from powerlog.log_once import LINES, Once

logger = logging.getLogger("powerlog.test")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_the_same_line_comes_once_a_minute(
    clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    once = Once()
    for _ in range(3):
        once(logger, logging.WARNING, "8.8.8.8 is refused")
        once(logger, logging.WARNING, "9.9.9.9 is refused: 100 %s")
    assert caplog.messages == ["8.8.8.8 is refused", "9.9.9.9 is refused: 100 %s"]
    clock.now += 60
    once(logger, logging.WARNING, "8.8.8.8 is refused")
    assert len(caplog.messages) == 3


def test_a_thousand_different_ones_are_a_hundred(
    clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    once = Once()
    for number in range(1000):
        once(logger, logging.WARNING, f"stranger {number}")
    assert len(caplog.messages) == LINES
