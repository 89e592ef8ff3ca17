"""The results of the scoring: sums over all lives, and each thing that is wrong.

Pure.
"""

from collections import Counter
from typing import NamedTuple

NEAR_S = 1.0  # a run's turns are true within it
NEAR_W = 0.01  # what rounding may cost a minute's mean power
NEAR_WH = 1.0  # so far off may the energy of a channel's runs be


class Finding(NamedTuple):
    """Something wrong in the life of this seed. at: Unix seconds. weight: the worse, the more.
    fault: the kind of fault in that life, if it has one."""

    kind: str
    seed: int
    channel: str
    at: float
    why: str
    weight: float = 1.0
    fault: str = ""


class Score:
    """The sums over all lives that were compared."""

    def __init__(self) -> None:
        self.lives = self.messages = self.channels = self.rows = 0
        self.read = self.read_right = 0
        self.recorded = self.recorded_right = 0
        self.carried = self.carried_inactive = 0
        self.invented = {"measured": 0, "device": 0}
        self.holes = 0
        self.turns = self.turns_right = self.turns_false = 0
        self.energy_wh: list[float] = []
        self.findings: list[Finding] = []
        self.faulty: Counter[str] = Counter()  # lives by their kind of fault
        self.faulty_right: Counter[str] = Counter()

    def worst(self, count: int) -> list[Finding]:
        return sorted(self.findings, key=lambda finding: -finding.weight)[:count]

    def table(self) -> str:
        beyond = sum(abs(off) > NEAR_WH for off in self.energy_wh)
        worst = max(map(abs, self.energy_wh), default=0.0)
        mean = sum(map(abs, self.energy_wh)) / max(1, len(self.energy_wh))
        lines = {
            "lives": f"{self.lives}: {self.channels} channels, {self.messages} messages",
            "rows": f"{self.rows}",
            "minutes with a reading": _part(self.read_right, self.read),
            "minutes of the device's record": _part(self.recorded_right, self.recorded),
            "invented, measured": f"{self.invented['measured']}",
            "invented, device": f"{self.invented['device']}",
            "carried": f"{self.carried}, of which {self.carried_inactive} were not active",
            "holes": f"{self.holes}",
            "turns of runs": _part(self.turns_right, self.turns),
            "turns that were none": f"{self.turns_false}",
            "energy": f"worst {worst:.3f} Wh, mean {mean:.3f} Wh, {beyond} beyond {NEAR_WH:g} Wh",
        }
        lines["lives with misfortunes"] = _part(self.faulty_right.total(), self.faulty.total())
        lines |= {
            f"  {kind}": _part(self.faulty_right[kind], self.faulty[kind])
            for kind in sorted(self.faulty)
        }
        return "\n".join(f"{name:<31}{value}" for name, value in lines.items())


def _part(right: int, of: int) -> str:
    return f"{right} of {of} right ({100 * right / of if of else 100:.4g} %)"
