"""The page of metrics."""

from collections.abc import Callable

from dask_operator.metrics import Gauges, Metrics
from dask_operator.observed.pods import WORKER_STATES, worker_states
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.operator.worlds import scheduler, worker

NOW = Gauges(
    leading=True,
    ready=True,
    queued=3,
    oldest=1.5,
    served=2,
    left_out=1,
    clusters=4,
    workers={"ready": 7, "starting": 1},
)


def read(fill: Callable[[Metrics], object]) -> dict[str, float]:
    """Samples by name and values of labels."""
    metrics = Metrics()
    fill(metrics)
    return {
        "/".join([sample.name.removeprefix("dask_operator_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_the_page_shows_the_operator_as_it_is_at_that_moment() -> None:
    assert read(lambda metrics: metrics.watch(lambda: NOW)) == {
        "leader": 1,
        "ready": 1,
        "queue_depth": 3,
        "queue_oldest_seconds": 1.5,
        "clusters": 4,
        "workers/ready": 7,
        "workers/starting": 1,
        "namespaces/served": 2,
        "namespaces/left_out": 1,
    }


def test_what_happens_is_counted_by_kind_verb_and_reason() -> None:
    def fill(metrics: Metrics) -> None:
        metrics.passed("DaskCluster", 0.02, None)
        metrics.passed("DaskCluster", 0.02, ValueError("a long text with a user's name in it"))
        metrics.refused("QuotaExceeded")
        metrics.called("POST", 201)
        metrics.called("POST", None)
        metrics.left("retired")
        metrics.left("forced")
        metrics.left("retired")
        metrics.asked_to_retire("")
        metrics.asked_to_retire("no answer")

    page = read(fill)
    assert page["reconcile_seconds_count/DaskCluster"] == 2
    assert page["reconcile_seconds_bucket/DaskCluster/0.03"] == 2
    assert page["reconcile_errors_total/DaskCluster/ValueError"] == 1
    assert page["refusals_total/QuotaExceeded"] == 1
    assert (page["api_calls_total/201/POST"], page["api_calls_total/none/POST"]) == (1, 1)
    assert (page["retirements_total/retired"], page["retirements_total/forced"]) == (2, 1)
    assert page["retire_requests_total/answered"] == page["retire_requests_total/unanswered"] == 1


def test_workers_are_counted_by_what_they_do_and_schedulers_are_none() -> None:
    running, waiting, ended = worker(1), worker(2, "waiting"), worker(3, "terminated")
    counted = worker_states([running, waiting, ended, scheduler()])
    assert set(counted) == set(WORKER_STATES)
    assert (counted["ready"], counted["ended"], sum(counted.values())) == (1, 1, 3)
