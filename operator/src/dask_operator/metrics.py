"""What the operator tells Prometheus: one process's numbers. No label has a value that users choose."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper bounds of the histogram of passes: most are computation, the long ones wait for the API server."""


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
    clusters: int = 0
    workers: Mapping[str, int] = field(default_factory=dict)
    """Worker Pods by state."""


class _Reading(Collector):
    """Gauges that are read at the moment somebody asks."""

    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        now = self._read()
        yield _gauge("leader", "1 while this process leads and writes.", now.leading)
        yield _gauge("ready", "1 once all that is looked after can be listed.", now.ready)
        yield _gauge("queue_depth", "Objects that wait to be reconciled, or are.", now.queued)
        yield _gauge("queue_oldest_seconds", "How long the oldest of these has waited.", now.oldest)
        yield _gauge("clusters", "DaskClusters.", now.clusters)
        yield _states("workers", "Worker Pods.", now.workers)
        namespaces = {"served": now.served, "left_out": now.left_out}
        yield _states(
            "namespaces", "Namespaces looked after (all of them: 1), and those left out.", namespaces
        )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dask_operator_{name}", text, value=float(value))


def _states(name: str, text: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"dask_operator_{name}", text, labels=["state"])
    for state, value in values.items():
        family.add_metric([state], value)
    return family


class Metrics:
    """The numbers of one process. What is counted here is counted whether or not anybody asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._passes = Histogram(
            "dask_operator_reconcile_seconds",
            "Passes over an object, by its kind.",
            ["kind"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._errors = self._counter("reconcile_errors", "Passes that ended in an error.", "kind", "reason")
        self._refusals = self._counter(
            "refusals", "What the API server refused to create or patch, by the condition's reason.", "reason"
        )
        self._calls = self._counter(
            "api_calls", "Calls to the API server; code is `none` where no answer came.", "verb", "code"
        )
        self._retirements = self._counter(
            "retirements", "Worker Pods that were chosen to go, by how that ended.", "outcome"
        )
        self._requests = self._counter(
            "retire_requests", "Requests to schedulers to retire workers, repeated ones too.", "outcome"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"dask_operator_{name}", text, labels, registry=self._registry)

    def watch(self, read: Callable[[], Gauges]) -> None:
        """Show what ``read`` gives, too, whenever somebody asks."""
        self._registry.register(_Reading(read))

    def passed(self, kind: str, seconds: float, error: BaseException | None) -> None:
        """A pass over an object has ended, after so many seconds."""
        self._passes.labels(kind).observe(seconds)
        if error is not None:
            self._errors.labels(kind, type(error).__name__).inc()

    def refused(self, reason: str) -> None:
        """The API server has refused something."""
        self._refusals.labels(reason).inc()

    def called(self, verb: str, code: int | None) -> None:
        """A call to the API server was answered with an HTTP status, or by nothing."""
        self._calls.labels(verb, "none" if code is None else str(code)).inc()

    def left(self, outcome: str) -> None:
        """A worker Pod that was chosen to go has been deleted."""
        self._retirements.labels(outcome).inc()

    def asked_to_retire(self, problem: str) -> None:
        """A scheduler was asked to retire workers; the problem is empty where it answered, whatever it could do."""
        self._requests.labels("unanswered" if problem else "answered").inc()

    def page(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)
