"""Which components meter, by the kind in their key ("switch" of "switch:2"). Pure."""

import re

# Power, voltage, current and energy in one, where they have a meter at all.
RELAYS = frozenset({"switch", "pm1", "cover", "light", "rgb", "rgbw", "cct", "rgbcct"})
METERS = RELAYS | {"em", "em1"}
# Of up to four digits: with every kind it fits into the column of the table.
COMPONENT_NUMBER = re.compile(r"[0-9]{1,4}")
# Far more than any device has. What a message says beyond that is left out.
MAX_COMPONENTS = 64


def is_meter(key: str) -> bool:
    kind, _, number = key.partition(":")
    return kind in METERS and COMPONENT_NUMBER.fullmatch(number) is not None
