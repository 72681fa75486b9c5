"""What is read from the custom resources."""

from typing import Any

import pytest
from dask_operator_api.manifests import Manifest
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
        (observed.group(worker_group(resources={"limits": {"cpu": "nan"}})), 1),
        (observed.group(worker_group(resources={"limits": {"cpu": "inf"}})), 1),
        (observed.group(worker_group(resources={"limits": {"cpu": "1e400"}})), 1),
        (observed.group(worker_group(resources={"limits": {"cpu": "infm"}})), 1),
        (with_args("dask", "worker", "--nthreads", "²"), 1),
        (with_args("dask", "worker", "--nthreads", "9" * 5000), 1),
        (with_args(command=True), 1),
        (with_args(args=5), 1),
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


def unreadable_group() -> Manifest:
    """A group whose number of workers is none."""
    body = worker_group()
    body["spec"]["worker"]["replicas"] = "many"
    return body


def test_an_object_that_cannot_be_read_is_left_out_and_told_once_for_each_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    store.groups.put(worker_group())
    broken = unreadable_group()
    broken["metadata"]["resourceVersion"] = "1"
    for _ in range(2):
        store.groups.put(broken)
        store.groups.keep_only([("ns", "c-default")])
    assert store.groups.get("ns", "c-default") is None
    assert store.groups.of(("ns", "c")) == []
    assert [record.getMessage() for record in caplog.records] == [
        "DaskWorkerGroup ns/c-default cannot be read, and is left out"
    ]
    broken["metadata"]["resourceVersion"] = "2"
    store.groups.put(broken)
    assert len(caplog.records) == 2
    store.groups.put(worker_group())
    assert store.groups.get("ns", "c-default") is not None


@pytest.mark.parametrize("how", ["dropped", "not listed any more", "put right"])
def test_what_could_not_be_read_and_is_gone_is_forgotten(how: str) -> None:
    store = Store()
    broken = unreadable_group()
    store.groups.put(broken)
    assert store.groups._unreadable
    if how == "dropped":
        store.groups.drop(broken)
    elif how == "put right":
        store.groups.put(worker_group())
    else:
        store.groups.keep_only([], "ns")
    assert not store.groups._unreadable


def test_an_object_that_moves_to_another_cluster_is_in_one_place_only() -> None:
    store = Store()
    store.autoscalers.put(scaler())
    store.autoscalers.put(scaler(cluster="d"))
    assert store.autoscalers.of(("ns", "c")) == []
    assert [item.name for item in store.autoscalers.of(("ns", "d"))] == ["c"]
    assert store.autoscalers.homes() == [("ns", "d")]
    store.autoscalers.keep_only([])
    assert store.autoscalers.homes() == []
