"""The page of metrics."""

from dask_operator.metrics import Gauges, Metrics
from prometheus_client.parser import text_string_to_metric_families

NOW = Gauges(leading=True, ready=True, queued=3, oldest=1.5, served=2, left_out=1)


def read(now: Gauges) -> dict[str, float]:
    page = Metrics(lambda: now).page().decode()
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_the_page_shows_the_operator_as_it_is_at_that_moment() -> None:
    assert read(NOW) == {
        "dask_operator_leader": 1,
        "dask_operator_ready": 1,
        "dask_operator_queue_depth": 3,
        "dask_operator_queue_oldest_seconds": 1.5,
        "dask_operator_namespaces/served": 2,
        "dask_operator_namespaces/left_out": 1,
    }
