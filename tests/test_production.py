"""docs/production.md by the letter, as far as that goes without a server on the internet."""

import re

from .servers import ROOT

PAGE = (ROOT / "docs/production.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_no_log_of_a_proxy_has_the_path_of_a_socket() -> None:
    (nginx,) = (text for language, text in BLOCKS if language == "nginx")
    assert all(line.split()[-1] in ("off;", "if=$is_page;") for line in logs(nginx, "access_log"))
    assert logs(nginx, "error_log") == ["error_log /dev/null crit;"]
    (caddy,) = (text for _, text in BLOCKS if "reverse_proxy" in text)
    assert "request>uri delete" in caddy


def logs(nginx: str, directive: str) -> list[str]:
    return [line.strip() for line in nginx.splitlines() if line.strip().startswith(directive)]
