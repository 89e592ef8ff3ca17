"""The Health of all processes on this port as /metrics, for Prometheus.

From memory alone, like `/`, and made only on request: it adds no counters. Every figure has the
number of its process, so that a restarted process resets only its own counters. Ask no more often
than every two seconds: the figures of other processes may be a second old.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from time import time

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from powerlog.monitoring.health import Health
from powerlog.writer.histogram import WITHIN_S

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PROCESS = "process"


class Figures:
    """A collector of the Prometheus client for these processes."""

    def __init__(self, everybody: Sequence[Health], expected: int) -> None:
        self.everybody, self.expected = everybody, expected

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "collector_processes_expected", "Processes that there should be.", self.expected
        )
        yield from self._now()
        yield from self._since_the_start()
        yield self._writes()

    def _now(self) -> Iterator[Metric]:
        yield self._gauge("devices_connected", "Devices connected now.", "devices")
        yield self._gauge("devices_silent", "Connected, and not heard for two minutes.", "silent")
        yield self._gauge("devices_waiting_for_staff", "Not accepted yet.", "guests")
        yield self._gauge("rows_waiting", "Rows and runs in memory alone.", "waiting")
        yield self._gauge("rows_spooled", "Rows and runs in the spool.", "spooled")
        text = "Addresses that are read more slowly than they send, because they send too much."
        yield self._gauge("addresses_slowed", text, "slowed")
        yield self._clocks()
        text = "Addresses whose rows were given up since the start, because they had most waiting."
        yield self._gauge("addresses_with_rows_lost", text, "losers")
        ages = {
            "rows_waiting_age_seconds": ("of the oldest in memory alone", "waiting_since"),
            "rows_spooled_age_seconds": ("of the oldest in the spool", "spooled_since"),
            "database_away_seconds": ("since the database took rows last", "failing_since"),
        }
        for name, (what, field) in ages.items():
            family = self._family(GaugeMetricFamily, name, f"Seconds {what}; 0 if there is none.")
            for each in self.everybody:
                since = getattr(each, field)
                family.add_metric([each.place], max(0.0, time() - since) if since else 0.0)
            yield family
        yield self._threads()

    def _threads(self) -> Metric:
        text = "Seconds since the thread has finished a round."
        family = self._family(GaugeMetricFamily, "thread_round_age_seconds", text, "thread")
        for each in self.everybody:
            for name, age_s in each.threads.items():
                family.add_metric([each.place, name], age_s)
        return family

    def _clocks(self) -> Metric:
        text = "Devices by their clocks: within CLOCK_TOLERANCE_S of this machine's, or refused."
        family = self._family(GaugeMetricFamily, "device_clocks", text, "clock")
        for each in self.everybody:
            seen = each.clocks
            family.add_metric([each.place, "believed"], seen.known - seen.ahead - seen.behind)
            family.add_metric([each.place, "ahead"], seen.ahead)
            family.add_metric([each.place, "behind"], seen.behind)
        return family

    def _since_the_start(self) -> Iterator[Metric]:
        yield self._counter("rows_written", "Rows that the database did not have.", "written")
        yield self._counter("rows_lost", "Rows given up.", "lost")
        yield self._counter(
            "frames_not_utf8", "Messages taken with U+FFFD for what is not UTF-8.", "not_utf8"
        )
        text = "Numbers of devices that came as texts, and were not taken."
        yield self._counter("values_as_text", text, "texts")
        text = "Seconds for which addresses were read more slowly than they sent, each by itself."
        yield self._counter("addresses_slowed_seconds", text, "slowed_s")
        by_word = {
            "frames": ("kind", "Messages of devices.", "kinds"),
            "frames_rejected": ("reason", "Messages that were none.", "bad_frames"),
            "connections_refused": ("reason", "Connections not let in.", "refused"),
            "rows_accepted": ("source", "Rows handed to the writer.", "by_source"),
            "rows_rejected": ("reason", "Rows that no table can hold.", "rejected"),
        }
        for name, (label, text, field) in by_word.items():
            family = self._family(CounterMetricFamily, name, text, label)
            for each in self.everybody:
                for word, count in getattr(each, field).items():
                    family.add_metric([each.place, word], count)
            yield family

    def _writes(self) -> Metric:
        name, text = "collector_write_seconds", "Seconds that the database took for a batch."
        family = HistogramMetricFamily(name, text, labels=[PROCESS])
        bounds = [*map(str, WITHIN_S), "+Inf"]
        for each in self.everybody:
            buckets = list(zip(bounds, accumulate(each.write_counts), strict=True))
            family.add_metric([each.place], buckets, each.write_s)
        return family

    def _gauge(self, name: str, text: str, field: str) -> Metric:
        return self._filled(self._family(GaugeMetricFamily, name, text), field)

    def _counter(self, name: str, text: str, field: str) -> Metric:
        return self._filled(self._family(CounterMetricFamily, name, text), field)

    def _family(self, kind: type, name: str, text: str, *labels: str) -> Metric:
        return kind(f"collector_{name}", text, labels=[PROCESS, *labels])

    def _filled(self, family: Metric, field: str) -> Metric:
        for each in self.everybody:
            family.add_metric([each.place], getattr(each, field))
        return family

    def describe(self) -> Iterable[Metric]:
        return ()  # there is nothing to ask beforehand


def text(everybody: Sequence[Health], expected: int) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(everybody, expected))
    return generate_latest(registry)
