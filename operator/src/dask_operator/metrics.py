"""What the operator tells Prometheus. Read when it is asked for; no label has a value that users choose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class Gauges:
    """The operator at one moment."""

    leading: bool
    ready: bool
    queued: int
    """Keys that wait or are worked on."""
    oldest: float
    """Seconds since the oldest of them was added."""
    served: int
    """Namespaces that are looked after; 1 for all of them at once."""
    left_out: int
    """Namespaces that should be looked after and are not."""


class _Reading(Collector):
    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        now = self._read()
        yield _gauge("leader", "1 while this process leads and writes.", now.leading)
        yield _gauge("ready", "1 once the first full observation is done.", now.ready)
        yield _gauge("queue_depth", "Objects that wait to be reconciled, or are.", now.queued)
        yield _gauge("queue_oldest_seconds", "How long the oldest of these has waited.", now.oldest)
        spaces = GaugeMetricFamily(
            "dask_operator_namespaces",
            "Namespaces that the operator looks after (or one entry for all), and those it has to leave out.",
            labels=["state"],
        )
        spaces.add_metric(["served"], now.served)
        spaces.add_metric(["left_out"], now.left_out)
        yield spaces


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dask_operator_{name}", text, value=float(value))


class Metrics:
    """The numbers of one process."""

    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Reading(read))

    def page(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)
