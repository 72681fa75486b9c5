"""What the autoscaler tells Prometheus: one process's numbers. No label has a value that users choose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "dask_operator_autoscaler"

SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histogram of questions: a connection is waited for 2 s, an answer 5 s."""


@dataclass(frozen=True)
class Gauges:
    """The autoscaler at one moment."""

    leading: bool
    ready: bool
    autoscalers: int
    clusters: int
    """Clusters that autoscalers name."""
    lateness: float
    """Seconds by which the visit that is due longest is late."""


class _Reading(Collector):
    """Gauges that are read at the moment somebody asks."""

    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        now = self._read()
        yield _gauge("leader", "1 while this process leads and decides.", now.leading)
        yield _gauge("ready", "1 once everything has been listed.", now.ready)
        yield _gauge("autoscalers", "DaskAutoscalers.", now.autoscalers)
        yield _gauge("clusters", "Clusters that DaskAutoscalers name.", now.clusters)
        yield _gauge("lateness_seconds", "By how much the visit due longest is late.", now.lateness)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(value))


class Metrics:
    """The numbers of one process. What is counted here is counted whether or not anybody asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._visits = self._counter("visits", "Visits to clusters, by how they ended.", "outcome")
        self._decisions = self._counter("decisions", "Decisions, by what settled them.", "reason")
        self._scalings = self._counter("scalings", "Changes of a number of workers.", "direction")
        self._calls = self._counter(
            "api_calls", "Calls to the API server; code is `none` where no answer came.", "verb", "code"
        )
        self._questions = Histogram(
            f"{PREFIX}_question_seconds",
            "Questions to schedulers, by what came of them.",
            ["outcome"],
            buckets=SECONDS,
            registry=self._registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self._registry)

    def watch(self, read: Callable[[], Gauges]) -> None:
        """Show what ``read`` gives, too, whenever somebody asks."""
        self._registry.register(_Reading(read))

    def visited(self, broke: bool) -> None:
        """A visit to a cluster has ended, by an error of ours or as it should."""
        self._visits.labels("error" if broke else "done").inc()

    def decided(self, reason: str) -> None:
        """It was decided how many workers a group gets, or why nothing is."""
        self._decisions.labels(reason).inc()

    def scaled(self, before: int, after: int) -> None:
        """A number of workers was written."""
        self._scalings.labels("up" if after > before else "down").inc()

    def asked(self, seconds: float, answered: bool) -> None:
        """A scheduler was asked, which took so long."""
        self._questions.labels("answered" if answered else "unreachable").observe(seconds)

    def called(self, verb: str, code: int | None) -> None:
        """A call to the API server was answered with an HTTP status, or by nothing."""
        self._calls.labels(verb, "none" if code is None else str(code)).inc()

    def page(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)
