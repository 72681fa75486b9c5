"""What is read from the custom resources."""

from typing import Any

import pytest
from dask_operator_autoscaler import observed
from dask_operator_autoscaler.store import Store

from tests.unit.autoscaler.worlds import dask_cluster, scaler, worker_group


def with_args(*args: str, **more: Any) -> observed.Group:
    """A group whose workers are started with ``args``."""
    container = {"name": "worker", "args": list(args), **more}
    return observed.group(worker_group(spec={"containers": [{"name": "sidecar"}, container]}))


@pytest.mark.parametrize(
    ("group", "threads"),
    [
        (observed.group(worker_group()), 1),
        (observed.group(worker_group(resources={"limits": {"cpu": "4"}})), 4),
        (observed.group(worker_group(resources={"limits": {"cpu": "2500m"}})), 3),
        (observed.group(worker_group(resources={"limits": {"cpu": "lots"}})), 1),
        (with_args("dask", "worker", "--nthreads", "2"), 2),
        (with_args("dask", "worker", "--nthreads=2", "--nworkers=3"), 6),
        (with_args("dask", "worker", "--nworkers", "3"), 3),
        (with_args("dask", "worker", resources={"limits": {"cpu": 2}}), 2),
    ],
)
def test_the_threads_of_a_worker_are_what_its_template_says(group: observed.Group, threads: int) -> None:
    assert group.threads == threads


def test_workers_that_offer_resources_are_special() -> None:
    assert with_args("dask", "worker", "--resources", "GPU=1").special
    assert with_args("dask", "worker", "--resources=GPU=1").special
    assert with_args(env=[{"name": "DASK_DISTRIBUTED__WORKER__RESOURCES__GPU", "value": "1"}]).special
    assert not with_args("dask", "worker").special


def test_the_schedulers_http_address_stands_in_the_clusters_status() -> None:
    assert observed.cluster(dask_cluster()).base == "http://c.ns.svc:8787"
    assert observed.cluster({"metadata": {"name": "c", "namespace": "ns"}}).base == ""


def test_a_spec_that_cannot_be_read_is_kept_with_its_problem() -> None:
    read = observed.autoscaler(scaler(behavior={"scaleUp": {"policies": [{"type": "Feet"}]}}))
    assert read.spec is None
    assert "Feet" in read.problem


def test_an_object_that_moves_to_another_cluster_is_in_one_place_only() -> None:
    store = Store()
    store.autoscalers.put(scaler())
    store.autoscalers.put(scaler(cluster="d"))
    assert store.autoscalers.of(("ns", "c")) == []
    assert [item.name for item in store.autoscalers.of(("ns", "d"))] == ["c"]
    assert store.autoscalers.homes() == [("ns", "d")]
    store.autoscalers.keep_only([])
    assert store.autoscalers.homes() == []
