"""The file `.env`: what it sets, and that no line of it ends in a log."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from collector_site.env_file import read_env_file


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Env, "ENVIRON", {"TIME_ZONE": "UTC"})  # else the process's own


def read(folder: Path, content: bytes) -> dict[str, str]:
    (folder / ".env").write_bytes(content)
    read_env_file(folder / ".env")
    return Env.ENVIRON


def test_it_sets_what_the_environment_does_not(tmp_path: Path) -> None:
    content = b"# first\r\nA='$x y'\r\n\r\n  # B=1\r\nexport C=\"d\"\r\nTIME_ZONE=Europe/Berlin\r\n"
    assert read(tmp_path, content) == {"TIME_ZONE": "UTC", "A": "$x y", "C": "d"}


def test_the_mark_of_windows_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfA=1\n")["A"] == "1"


@pytest.mark.parametrize("line", ["WS_TOKEN = geheim", " WS_TOKEN=geheim", "geheim", "WS-T=geheim"])
def test_a_line_that_sets_nothing_is_named_and_not_repeated(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"Line 2 of .*\.env is not NAME=VALUE"
    ) as caught:
        read(tmp_path, f"A=1\n{line}\n".encode())
    assert "geheim" not in str(caught.value) + caplog.text


def test_a_file_that_is_no_text_or_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="is not text in UTF-8"):
        read(tmp_path, b"A=\xff")
    with pytest.raises(ImproperlyConfigured, match=r"cannot be read \(Is a directory\)"):
        read_env_file(tmp_path)
