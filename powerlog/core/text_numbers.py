"""Numbers that arrive as texts ("apower": "433.8"), as some emulators and bridges send them.

Pure. The parser accepts no text as a number. Texts are dropped here, and their names collected for
the log.
"""

from typing import Any

# The fields that the parser reads as numbers, in a component that meters and in its counters.
NUMBERS = frozenset(
    {"ts", "apower", "total", "minute_ts", "by_minute"}
    | {"total_act_power", "total_act", "total_act_ret"}
    | {
        prefix + name
        for prefix in ("", "a_", "b_", "c_")
        for name in ("act_power", "voltage", "current", "total_act_energy")
    }
)
MOST_NAMES, LONGEST_NAME = 100, 75  # a log line shows no more
DEEPEST = 4  # params.device_status["switch:0"].aenergy: nothing below it is read


def without_texts(values: Any, names: list[str], path: str = "", depth: int = 1) -> Any:
    """Return a copy without texts, as deep as the parser reads; return what is no dict unchanged.

    Add the place of each text that should be a number to names ("switch:0.apower"), up to
    MOST_NAMES.
    """
    if type(values) is not dict or depth > DEEPEST:
        return values
    kept = {}
    for name, value in values.items():
        if type(value) is not str and not (type(value) is list and str in map(type, value)):
            below = f"{path}{name}"[:LONGEST_NAME]
            kept[name] = without_texts(value, names, f"{below}.", depth + 1)
        elif name in NUMBERS and len(names) < MOST_NAMES:
            names.append(f"{path}{name}")
    return kept
