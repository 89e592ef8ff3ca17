"""Read a Shelly's model, firmware and names from its answers.

Pure: parts of the answers to Shelly.GetDeviceInfo and Shelly.GetConfig, whatever they contain. A
value that is missing, not a text or not printable is "". An incomplete last character is dropped.
"""

from itertools import islice
from typing import Any

import msgspec

from powerlog.core.components import MOST_CHANNELS, meters

LONGEST_NAME = 100
LONGEST_WORD = 60
# A Shelly cuts a long name by its bytes: what is left of the last character is decoded as U+FFFD.
CUT_TAIL = "\ufffd "


class About(msgspec.Struct, frozen=True):
    """The content of one answer; None: the answer does not cover it.

    channels maps the key of each component that can meter to its name, "" if it has none. The
    phases of a three-phase meter have the name of the meter and their letter. There are at most
    MOST_CHANNELS of them, however many an answer has.
    """

    model: str | None = None
    firmware: str | None = None
    name: str | None = None
    channels: dict[str, str] | None = None


def device_info(result: dict[str, Any]) -> About:
    model = _text(result.get("model"), LONGEST_WORD)
    app = _text(result.get("app"), LONGEST_WORD)
    both = f"{app} ({model})" if app and model else app or model
    firmware = _text(result.get("ver"), LONGEST_WORD) or _text(result.get("fw_id"), LONGEST_WORD)
    return About(both[:LONGEST_WORD], firmware, _text(result.get("name"), LONGEST_NAME))


def config(result: dict[str, Any]) -> About:
    names: dict[str, str] = {}
    for key, component in result.items():
        if not isinstance(component, dict) or not meters(key):
            continue
        if len(names) >= MOST_CHANNELS:
            break
        name = names[key] = _text(component.get("name"), LONGEST_NAME)
        if name and key.startswith("em:"):
            names |= {f"{key}:{phase}": f"{name} {phase.upper()}" for phase in "abc"}
    return About(channels=dict(islice(names.items(), MOST_CHANNELS)))


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not value.isprintable():
        return ""
    return value.strip()[:longest].rstrip(CUT_TAIL)
