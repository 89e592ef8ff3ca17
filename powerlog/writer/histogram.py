"""Count durations in buckets, as /metrics reports them."""

from bisect import bisect_left

WITHIN_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """counts has one number more than WITHIN_S: the last counts what took longer than all."""

    def __init__(self) -> None:
        self.counts = [0] * (len(WITHIN_S) + 1)
        self.total_s = 0.0

    def note(self, took_s: float) -> None:
        self.counts[bisect_left(WITHIN_S, took_s)] += 1
        self.total_s += max(0.0, took_s)
