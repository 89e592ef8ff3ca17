"""Where `manage.py simulate` gets its token from, and to whom it tells it."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from powerlog.management.commands import simulate

SHARED = "the-token-of-all-devices"


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that fleets were made with; none of them dials."""
    urls: list[str] = []

    class Fleet:
        sent = 0

        def __init__(self, devices: int, url: str, say: Any) -> None:
            urls.append(url)

        async def run(self) -> None:
            pass

    monkeypatch.setattr(simulate, "Fleet", Fleet)
    return urls


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("simulate", *arguments, stdout=out)
    return out.getvalue()


def test_a_file_keeps_it_out_of_the_list_of_processes(dialled: list[str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\nnot this line\n")
    said = run("--token-file", str(tmp_path / "token"))
    assert dialled == ["ws://127.0.0.1:5000/ws?token=s3cret"]
    assert "s3cret" not in said


def test_the_standard_input_is_a_file(dialled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    run("--token-file", "-", "--url", "ws://example.org/ws")
    assert dialled == ["ws://example.org/ws?token=s3cret"]


def test_the_collectors_own_goes_to_the_collector_at_home_and_nowhere_else(
    dialled: list[str], settings: Any
) -> None:
    settings.WS_TOKEN = SHARED
    run()
    run("--url", "ws://example.org/ws")
    run("--token", "another")
    assert dialled == [
        f"{simulate.HOME}?token={SHARED}",
        "ws://example.org/ws",
        f"{simulate.HOME}?token=another",
    ]
