"""Token buckets, and the keeping of what connections share for as long as it matters.

Pure: the clock is an argument. Seconds are those of a monotonic clock.
"""

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Bucket:
    """Fills at `rate` a second up to `most`; a debt is a level below 0, of `most` at the deepest.

    A reservation may go deeper: whoever makes it waits for it.
    """

    __slots__ = ("_at", "_level", "most", "rate")

    def __init__(self, rate: float, most: float, now: float) -> None:
        self.rate, self.most = rate, most
        self._level, self._at = most, now

    def level(self, now: float) -> float:
        self._level = min(self.most, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now
        return self._level

    def take(self, wanted: float, now: float, least: float = 1.0) -> int:
        """Take so many, or the whole ones that are there; none where there are fewer than least."""
        level = self.level(now)
        if level < least:
            return 0
        granted = int(wanted if wanted < level else level)
        self._level = level - granted
        return granted

    def reserve(self, amount: float, now: float) -> float:
        """Take all of it. Return the seconds until it is there."""
        self._level = self.level(now) - amount
        return max(0.0, -self._level / self.rate)

    def give(self, amount: float) -> None:
        """Put back what was not used."""
        self._level = min(self.most, self._level + amount)

    def charge(self, other: "Bucket") -> None:
        """Take what is missing in another one."""
        self._level = max(-self.most, self._level - (other.most - other._level))


class Remembered(Generic[T]):
    """One value for each key, shared by all that use it.

    What is in use stays. The rest is forgotten `forget_s` after its last use, and the oldest of it
    earlier where there are more than `most` of them.
    """

    def __init__(self, make: Callable[[str, float], T], forget_s: float, most: int) -> None:
        self._make, self._forget_s, self._most = make, forget_s, most
        self._values: dict[str, T] = {}
        self._users: Counter[str] = Counter()
        self._left_at: dict[str, float] = {}  # the oldest first

    def enter(self, key: str, now: float) -> T:
        self._forget(now)
        self._left_at.pop(key, None)
        self._users[key] += 1
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._make(key, now)
        return value

    def leave(self, key: str, now: float) -> None:
        self._users[key] -= 1
        if self._users[key] <= 0:
            del self._users[key]
            self._left_at[key] = now
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._left_at:
            key, left_at = next(iter(self._left_at.items()))
            if now - left_at < self._forget_s and len(self._left_at) <= self._most:
                return
            del self._left_at[key]
            self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)
