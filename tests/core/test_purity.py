"""The core and the simulated devices know no framework, no clock, no socket and no log."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = {
    "core/days": {"bisect", "collections.abc", "datetime", "zoneinfo"},
    "core/device_info": {"itertools", "typing", "msgspec", "powerlog.core.components"},
    "core/components": {"re"},
    "core/device_state": {"msgspec", "powerlog.core.channel_state"},
    "core/contact": set(),
    "core/frame": {"collections.abc", "typing", "msgspec", "powerlog.core.device_info"},
    "core/text_numbers": {"typing"},
    "core/fast_path": {"typing", "msgspec", "powerlog.core.frame"},
    "core/protocol": {"collections.abc", "json", "typing", "msgspec"}
    | {"powerlog.core", "powerlog.core.components", "powerlog.core.frame"},
    # and about, switches, texts
    "core/run_state": {"collections.abc", "typing", "msgspec", "powerlog.core.energy_bounds"},
    "core/energy_bounds": set(),
    "core/energy_integral": {"collections.abc", "dataclasses", "itertools", "typing"}
    | {"powerlog.core.energy_bounds"},
    "core/gaps": {"powerlog.core.channel_state", "powerlog.core.days", "powerlog.core.frame"},
    "core/request_schedule": {
        "collections.abc",
        "typing",
        "powerlog.core.frame",
        "powerlog.core.protocol",
    },
    "core/channel_state": {"collections.abc", "typing", "msgspec"}
    | {"powerlog.core.days", "powerlog.core.frame", "powerlog.core.energy_bounds"}
    | {"powerlog.core.run_state"},
    "core/sampler": {
        "collections.abc",
        "msgspec",
        "powerlog.core.contact",
        "powerlog.core.days",
        "powerlog.core.device_state",
        "powerlog.core.channel_state",
        "powerlog.core.frame",
        "powerlog.core.gaps",
        "powerlog.core.run_state",
    },
    "simulation/curves": {"bisect", "math", "collections.abc", "functools", "itertools"}
    | {"random", "typing"},
    "simulation/counters": {"collections.abc", "math", "typing"},
    "simulation/connection": {"collections.abc", "typing", "powerlog.simulation.curves"},
    "simulation/channel": {"math", "typing", "powerlog.simulation.counters"}
    | {"powerlog.simulation.curves"},
    "simulation/components": {"functools", "itertools", "typing"}
    | {f"powerlog.simulation.{name}" for name in ("channel", "connection", "counters", "curves")},
    "simulation/device": {"collections.abc", "math", "random", "typing", "msgspec"}
    | {f"powerlog.simulation.{name}" for name in ("channel", "components", "connection", "curves")},
    "simulation/pro4pm": {"json", "math", "collections.abc", "heapq", "itertools", "operator"}
    | {"random", "typing"}
    | {f"powerlog.simulation.{name}" for name in ("channel", "connection", "counters", "curves")}
    | {"powerlog.simulation.device"},
    "simulation/demo": {"collections.abc", "datetime", "itertools", "random", "typing", "zoneinfo"}
    | {"powerlog.core.days", "powerlog.simulation.curves", "powerlog.simulation.pro4pm"},
}
FOREIGN = ("django", "channels", "asgiref", "twisted", "asyncio", "logging", "socket", "threading")


def test_the_core_loads_in_a_bare_interpreter_without_any_framework() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import powerlog.core.request_schedule, powerlog.core.sampler\n"
        "import powerlog.simulation.demo, benchmarks.accuracy.__main__\n"
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "powerlog.core.sampler" in loaded
    assert [name for name in loaded if name.split(".")[0] in FOREIGN] == []


def test_the_collector_imports_nothing_of_its_benchmarks() -> None:
    for folder in ("powerlog", "collector_site"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"^\s*(from|import) benchmarks", path.read_text(), re.M), path


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
