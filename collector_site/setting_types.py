"""What the text of a setting means: each function here raises ValueError or KeyError for what it is
not, and settings.py says then what was expected."""

import math
import re
import zoneinfo
from pathlib import Path

from powerlog.core.components import RELAYS

BASE_DIR = Path(__file__).resolve().parent.parent
NUMBER = "(0|[1-9][0-9]{0,3})"  # of a component, as devices write it


def boolean(text: str) -> bool:
    meanings = dict.fromkeys(("on", "true", "yes", "1"), True)
    meanings |= dict.fromkeys(("off", "false", "no", "0"), False)
    return meanings[text.lower()]


def not_negative(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError
    return value


def minutes(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError
    return int(text)


def count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError
    return int(text)


def admission(text: str) -> str:
    return {"open": "open", "approve": "approve"}[text.lower()]


def details(text: str) -> str:
    return {"local": "local", "all": "all", "none": "none"}[text.lower()]


def is_secret(text: str) -> bool:
    """Whether it can stand in a URL as it is, and nobody guesses it."""
    return bool(re.fullmatch(r"[A-Za-z0-9_-]{16,200}", text))


def seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError
    return int(text)


def rows(text: str) -> int:
    if not re.fullmatch(r"[0-9]{4,12}", text) or int(text) < 1000:
        raise ValueError
    return int(text)


def days(text: str) -> int | None:
    """None: off."""
    if text.lower() == "off":
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 36_500:
        raise ValueError
    return int(text)


def folder(text: str) -> Path:
    path = BASE_DIR / text
    if path.exists() and not path.is_dir():
        raise ValueError
    return path


def time_zone(text: str) -> str:
    try:
        return zoneinfo.ZoneInfo(text).key
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        raise ValueError from None


def currency(text: str) -> str:
    if not text.isprintable() or len(text) > 8:
        raise ValueError
    return text


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def origins(text: str) -> frozenset[str]:
    """Origins as browsers write them: scheme, name, and a port where it is not the usual one."""
    found = [word.lower() for word in words(text)]
    known = r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?"
    if not all(re.fullmatch(known, origin) for origin in found):
        raise ValueError
    return frozenset(found)


def channels(text: str) -> frozenset[str]:
    """Component keys (em:0:a is a phase); a bare number is a switch; * is whatever meters."""
    keys = [f"switch:{word}" if re.fullmatch("[0-9]+", word) else word for word in words(text)]
    known = rf"\*|({'|'.join(RELAYS)}|em1):{NUMBER}|em:{NUMBER}(:[abc])?"
    if not keys or not all(re.fullmatch(known, key) for key in keys):
        raise ValueError
    return frozenset(keys)
