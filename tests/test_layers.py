"""Each folder imports only what lies below it, and no two files import each other."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {
    "client_address",
    "localtime",
    "log_budget",
    "log_once",
    "models",
    "own_hosts",
    "steady_thread",
}
# Beside what lies on the ground floor, which imports core and itself alone.
MAY_IMPORT = {
    "core": set(),
    "database": {"core"},
    "writer": {"core", "database"},
    "devices": {"core", "database"},
    "reports": {"core", "database"},
    "search": {"core", "database"},
    "joining": {"core", "database", "devices", "reports"},
    "dashboard": {"core", "reports", "search"},
    "admin": {"core", "dashboard", "database", "devices", "joining", "search"},
    "server": {"devices"},
    "monitoring": {"core", "database", "devices", "server", "writer"},
    "simulation": {"core"},
    "consumers": {"core", "devices", "writer"},
    "apps": {"database"},
    "urls": {"consumers", "dashboard", "monitoring", "server"},
    "templatetags": set(),
}
TOP = {"management"}  # the commands may import everything


def modules() -> dict[str, Path]:
    found = {}
    for path in (ROOT / "powerlog").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "migrations" not in parts:
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """Return the project's modules that this one imports."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names if each.name in MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{each.name}" for each in node.names}
            found |= (names & MODULES.keys()) or ({node.module} & MODULES.keys())
    return found


def folder(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"powerlog"}))
def test_it_imports_only_what_lies_below(module: str) -> None:
    home = folder(module)
    if home in TOP:
        return
    below = {"core"} | GROUND if home in GROUND else MAY_IMPORT[home] | {home}
    if home not in GROUND and home != "core":
        below |= GROUND
    assert {folder(each) for each in imports(module)} <= below


def test_no_two_files_import_each_other_in_a_circle() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(f"a circle: {exc.args[1]}")


def test_every_folder_says_what_it_may_import() -> None:
    homes = {folder(module) for module in MODULES if module != "powerlog"}
    assert homes - GROUND - TOP == MAY_IMPORT.keys()
