"""The components of a Shelly that meter, by the names of their kinds. Pure."""

import re

# Components with power, voltage, current and energy in one object, if they have a meter at all.
RELAYS = frozenset({"switch", "pm1", "cover", "light", "rgb", "rgbw", "cct", "rgbcct"})
# The energy of these lives in a sister component.
METERS = frozenset({"em", "em1"})
# Up to four digits: with each kind, the key fits into the column of the table.
NUMBER = re.compile(r"[0-9]{1,4}")
MOST_CHANNELS = 64  # of one device; far more than any has
MOST_COMPONENTS = 2 * MOST_CHANNELS  # each with its sister


def meters(key: str) -> bool:
    """Return whether a component with this key can have a meter."""
    kind, _, number = key.partition(":")
    return (kind in RELAYS or kind in METERS) and NUMBER.fullmatch(number) is not None
