"""The queue in memory, fair between the origins of its rows.

The promise: the rows of one device come out in the order in which they came, from any origin. An
origin is a network place (an address, for IPv6 a /64): device ids can be invented freely, addresses
cannot. Origins, and devices within them, take turns, so a flood from one delays no other. If rows
have to be given up, the one that holds most loses its oldest first. While no more than a batch
waits, it is a plain queue; only beyond that is it sorted.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from itertools import islice

from powerlog.core.sampler import Due

Lot = tuple[str, Sequence[Due]]  # an origin, and what came from there
AT_ONCE = 1000  # devices of an origin that are compared: no one has more without inventing them


def give_up(held: Mapping[str, int], count: int) -> dict[str, int]:
    """Return how many each has to give up, `count` in all: those that hold most give up first.

    All give up everything if that is not enough.
    """
    order = sorted(held.items(), key=lambda each: -each[1])
    total = 0
    for number, (_, holds) in enumerate(order, 1):
        total += holds
        following = order[number][1] if number < len(order) else 0
        if total - number * following >= count:
            level, over = divmod(total - count, number)  # `over` of them keep one more
            cut = enumerate(order[:number])
            return {name: n for i, (name, had) in cut if (n := had - level - (i < over)) > 0}
    return {name: holds for name, holds in order if holds}


class Origin:
    """The waiting rows of one origin: by device, in the order of the devices' turns."""

    def __init__(self) -> None:
        self.devices: OrderedDict[str, list[Due]] = OrderedDict()
        self.number = 0

    def take(self, limit: int) -> list[list[Due]]:
        """Return up to `limit` rows: a share of each device, the oldest first."""
        taken: list[list[Due]] = []
        while limit and self.devices:
            share = max(1, limit // len(self.devices))
            for _ in range(min(len(self.devices), limit)):
                device_id, waiting = self.devices.popitem(last=False)
                part = waiting[: min(share, limit)]
                if rest := waiting[len(part) :]:
                    self.devices[device_id] = rest
                taken.append(part)
                limit -= len(part)
                self.number -= len(part)
        return taken

    def drop(self, count: int) -> list[str]:
        """Give up the oldest of the devices that hold most. Return the devices left with none."""
        left = min(count, self.number)
        self.number -= left
        emptied: list[str] = []
        while left:
            held = {name: len(due) for name, due in islice(self.devices.items(), AT_ONCE)}
            for device_id, number in give_up(held, left).items():
                left -= number
                del self.devices[device_id][:number]
                if not self.devices[device_id]:
                    del self.devices[device_id]
                    emptied.append(device_id)
        return emptied


class FairQueue:
    """The queue. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._came: deque[Lot] = deque()  # not sorted yet
        self._origins: OrderedDict[str, Origin] = OrderedDict()
        self._homes: dict[str, str] = {}  # the origin of each device that is sorted
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def add(self, origin: str, due: Sequence[Due]) -> None:
        self._came.append((origin, due))
        self._number += len(due)

    def take(self, limit: int) -> list[Lot]:
        """Return up to `limit` rows: a share of each origin."""
        if not self._origins and self._number <= limit:
            return self.take_all()
        self._sort()
        taken: list[Lot] = []
        while limit and self._origins:
            share = max(1, limit // len(self._origins))
            for _ in range(min(len(self._origins), limit)):
                name, origin = self._origins.popitem(last=False)
                parts = origin.take(min(share, limit))
                taken += [(name, part) for part in parts]
                limit -= sum(map(len, parts))
                self._return(name, origin, parts)
        self._number -= sum(len(due) for _, due in taken)
        return taken

    def take_all(self) -> list[Lot]:
        """Return all rows, in order for each device."""
        lots = [
            (name, due) for name, each in self._origins.items() for due in each.devices.values()
        ]
        lots += self._came
        self._came.clear()
        self._origins.clear()
        self._homes.clear()
        self._number = 0
        return lots

    def put_back(self, lots: Sequence[Lot]) -> None:
        """Put taken rows back, before all others of their devices."""
        self._number += sum(len(due) for _, due in lots)
        if not self._origins:
            self._came.extendleft(reversed(lots))
            return
        fronts: dict[str, tuple[str, list[Due]]] = {}
        for name, due in lots:
            for each in due:
                fronts.setdefault(each.device_id, (name, []))[1].append(each)
        for device_id, (name, front) in fronts.items():
            origin = self._home(device_id, name)
            origin.devices[device_id] = front + origin.devices.get(device_id, [])
            origin.number += len(front)

    def drop(self, count: int) -> dict[str, int]:
        """Give up the oldest of the origins that hold most. Return how many each lost."""
        self._sort()
        cuts = give_up({name: origin.number for name, origin in self._origins.items()}, count)
        for name, number in cuts.items():
            origin = self._origins[name]
            for device_id in origin.drop(number):
                del self._homes[device_id]
            if not origin.number:
                del self._origins[name]
        self._number -= sum(cuts.values())
        return cuts

    def _sort(self) -> None:
        while self._came:
            name, due = self._came.popleft()
            for each in due:
                origin = self._home(each.device_id, name)
                origin.devices.setdefault(each.device_id, []).append(each)
                origin.number += 1

    def _home(self, device_id: str, name: str) -> Origin:
        """Return the origin that this device counts for: that of its first waiting row."""
        home = self._homes.setdefault(device_id, name)
        if (origin := self._origins.get(home)) is None:
            origin = self._origins[home] = Origin()
        return origin

    def _return(self, name: str, origin: Origin, parts: Sequence[Sequence[Due]]) -> None:
        """Put these rows back to an origin; its next turn comes after all others."""
        if origin.number:
            self._origins[name] = origin
        for device_id in {part[0].device_id for part in parts}:
            if device_id not in origin.devices:
                del self._homes[device_id]
