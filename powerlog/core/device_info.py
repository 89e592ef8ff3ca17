"""What a Shelly says of itself: model, firmware, and the names that its owner has given there.

Pure: parts of the answers to Shelly.GetDeviceInfo and Shelly.GetConfig, whatever they hold. A text
that is missing, no text, or not printable is "". One that ends within a character ends before it.
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
    """What one answer tells; None: it is not about that.

    channels has the name of each component that can meter by its key, "" where it has none; phases
    of a three-phase meter bear the name of the meter and their letter. There are no more than
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
