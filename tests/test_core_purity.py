"""The core and the simulator know no framework, no clock, no socket and no log."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = {
    "days": {"collections.abc", "datetime", "zoneinfo"},
    "about": {"typing", "msgspec"},
    "frame": {"collections.abc", "typing", "msgspec", "powerlog.about"},
    "switches": {"typing", "msgspec", "powerlog.frame"},
    "protocol": {"collections.abc", "json", "re", "typing", "msgspec"}
    | {"powerlog", "powerlog.frame"},  # and about, switches
    "runs": {"collections.abc", "typing", "msgspec"},
    "channel": {"collections.abc", "typing", "msgspec"}
    | {"powerlog.days", "powerlog.frame", "powerlog.runs"},
    "sampler": {
        "collections.abc",
        "powerlog.days",
        "powerlog.channel",
        "powerlog.frame",
        "powerlog.runs",
    },
    "simulator": {"json", "math", "collections.abc", "functools", "itertools"}
    | {"operator", "random", "typing"},
    "planned": {"bisect", "collections.abc", "functools", "itertools", "random", "typing"}
    | {"powerlog.simulator"},
    "demo": {"collections.abc", "datetime", "itertools", "random", "typing", "zoneinfo"}
    | {"powerlog.days", "powerlog.planned", "powerlog.simulator"},
}
FOREIGN = ("django", "channels", "asgiref", "twisted", "asyncio", "logging", "socket", "threading")


def test_the_core_loads_in_a_bare_interpreter_without_any_framework() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import powerlog.sampler, powerlog.demo, powerlog.truth.score\n"
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "powerlog.sampler" in loaded
    assert [name for name in loaded if name.split(".")[0] in FOREIGN] == []


@pytest.mark.parametrize("module", CORE)
def test_a_core_module_imports_only_what_cannot_tell_the_time(module: str) -> None:
    tree = ast.parse((ROOT / "powerlog" / f"{module}.py").read_text())
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= CORE[module]
