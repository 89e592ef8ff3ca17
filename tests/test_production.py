"""docs/production.md by the letter, as far as that goes without a server on the internet."""

import re
import subprocess

import pytest

from .servers import ROOT

PAGE = (ROOT / "docs/production.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHELL = [text for language, text in BLOCKS if language == "sh"]


@pytest.mark.parametrize("number", range(len(SHELL)))
def test_what_is_typed_into_a_shell_is_one_that_it_understands(number: int) -> None:
    result = subprocess.run(["sh", "-n"], input=SHELL[number], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


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
