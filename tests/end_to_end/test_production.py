"""docs/production.md by the letter, as far as that goes without a server on the internet."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PAGE = (ROOT / "docs/production.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHELL = [text for language, text in BLOCKS if language == "sh"]


def as_systemd_reads(text: str) -> dict[str, str]:
    """An EnvironmentFile: a comment has its own line, quotes stand around a whole value."""
    lines = [line for line in text.splitlines() if line and line[0] not in "#;"]
    pairs = (line.split("=", 1) for line in lines)
    return {name: value[1:-1] if value[:1] == "'" else value.strip() for name, value in pairs}


def test_the_settings_are_those_that_systemd_hands_over(tmp_path: Path) -> None:
    (text,) = (each for each in SHELL if "BEHIND_PROXY=" in each)
    secret = "x7Q" * 20
    found = {name: value.replace("…", secret) for name, value in as_systemd_reads(text).items()}
    assert "BEHIND_PROXY" in found
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | found | {"DJANGO_SETTINGS_MODULE": "collector_site.settings"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("number", range(len(SHELL)))
def test_what_is_typed_into_a_shell_is_one_that_it_understands(number: int) -> None:
    result = subprocess.run(["sh", "-n"], input=SHELL[number], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_process_that_needs_too_much_memory_ends_alone() -> None:
    text = (ROOT / "docs/collector.service").read_text()
    unit = dict(
        line.split("=", 1) for line in text.splitlines() if re.match("[A-Z][A-Za-z]+=", line)
    )
    assert re.fullmatch("[0-9]+G", unit["MemoryMax"])
    assert unit["MemorySwapMax"] == "0", "a collector that swaps keeps its devices waiting"
    assert unit["OOMPolicy"] == "continue", "else systemd stops the other processes as well"
    assert unit["Restart"] == "always"


def test_no_command_makes_the_name_of_a_database_out_of_the_url_or_shows_its_password() -> None:
    assert all("$DATABASE_URL" not in each and "${DATABASE_URL" not in each for each in SHELL)


def test_a_restore_goes_into_a_new_database_alone() -> None:
    (text,) = (each for each in SHELL if "pg_restore" in each)
    assert set(re.findall(r"--dbname=(\S+)", text)) == {"collector_restored"}
    assert text.startswith("set -eu\n")
    assert text.index("createdb") < text.index("ALLOW_CONNECTIONS") < text.index("pg_restore")


def test_no_log_of_a_proxy_has_the_path_of_a_socket() -> None:
    (nginx,) = (text for language, text in BLOCKS if language == "nginx")
    assert all(line.split()[-1] in ("off;", "if=$is_page;") for line in logs(nginx, "access_log"))
    assert logs(nginx, "error_log") == ["error_log /dev/null crit;"]
    (caddy,) = (text for _, text in BLOCKS if "reverse_proxy" in text)
    assert "request>uri delete" in caddy


def logs(nginx: str, directive: str) -> list[str]:
    return [line.strip() for line in nginx.splitlines() if line.strip().startswith(directive)]
