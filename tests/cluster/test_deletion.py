"""Deleting is fast, leaves nothing, and touches nothing of a new cluster of the same name."""

import json
import time
from contextlib import nullcontext
from urllib.parse import quote

import pytest

from tests.support.dask import dask_cluster, fake_worker_pods, names, wait_connected, worker_group, workers
from tests.support.kubectl import Tree, apply, eventually, get, kubectl, list_objects
from tests.support.namespaces import WATCHED
from tests.support.operator_process import no_operator

FAKE = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
FAKE_SCHEDULER = {"spec": fake_worker_pods()}


def _running(namespace: str, selector: str) -> int:
    pods = list_objects(namespace, "pods", selector)
    return sum(1 for pod in pods if pod["status"].get("phase") == "Running")


def _any_left(namespace: str, selector: str) -> bool:
    """Whether there are such Pods. Asks for one only: a list of hundreds would take longer than what is measured."""
    path = f"/api/v1/namespaces/{namespace}/pods?limit=1&labelSelector={quote(selector)}"
    return bool(json.loads(kubectl("get", "--raw", path))["items"])


def _cluster(name: str, replicas: int) -> Tree:
    return dask_cluster(name, replicas, worker=FAKE, scheduler=FAKE_SCHEDULER)


def _of(item: Tree | None) -> str:
    return f"kubernetes.dask.org/cluster-uid={(item or {})['metadata']['uid']}"


def _left(namespace: str, selector: str) -> set[str]:
    kinds = ("pods", "services", "daskworkergroups")
    return {name for kind in kinds for name in names(list_objects(namespace, kind, selector))}


@pytest.mark.parametrize("many", [40, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.alone])])
def test_a_new_cluster_of_the_same_name_is_complete_and_of_the_old_one_nothing_is_left(
    namespace: str, many: int
) -> None:
    apply(namespace, _cluster("again", many))
    old = eventually("the cluster", lambda: get(namespace, "daskcluster", "again"), 10)
    eventually("its Pods", lambda: _running(namespace, _of(old)) == many + 1, 120)
    kubectl("delete", "daskcluster", "again", "-n", namespace, "--wait=true")
    started = time.monotonic()
    apply(namespace, _cluster("again", many))
    eventually("nothing of the old one to be left", lambda: not _any_left(namespace, _of(old)), 120)
    took = time.monotonic() - started
    new = get(namespace, "daskcluster", "again")
    eventually("the new one to be complete", lambda: _running(namespace, _of(new)) == many + 1, 180)
    made = workers(namespace, "again-default", alive=False)
    assert len(made) == many
    kubectl("delete", "daskcluster", "again", "-n", namespace)
    eventually("room", lambda: not _any_left(namespace, _of(new)), 120)
    bare = _bare_deletecollection(namespace, made[0], many)
    print(f"{many} Pods: gone after {took:.1f} s; by one bare deletecollection {bare:.1f} s")
    if many >= 500:
        assert took <= 1.5 * bare


def _bare_deletecollection(namespace: str, pattern: Tree, many: int) -> float:
    """Seconds that one call takes to delete as many Pods like ``pattern`` that nobody owns."""
    [container] = pattern["spec"]["containers"]
    container = {key: value for key, value in container.items() if key != "volumeMounts"}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {**fake_worker_pods(), "containers": [container]}}
    meta = {"labels": {"bare": "yes"}, "annotations": pattern["metadata"]["annotations"]}
    apply(namespace, *({**pod, "metadata": {**meta, "name": f"bare-{n}"}} for n in range(many)))
    eventually("the bare Pods", lambda: _running(namespace, "bare=yes") == many, 120)
    started = time.monotonic()
    kubectl("delete", "--raw", f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote('bare=yes')}")
    eventually("the bare Pods to be gone", lambda: not _any_left(namespace, "bare=yes"), 120)
    return time.monotonic() - started


def test_what_is_left_behind_on_purpose_stays(namespace: str) -> None:
    apply(namespace, _cluster("orphan", 3))
    eventually("its Pods", lambda: _running(namespace, "dask.org/cluster-name=orphan") == 4, 60)
    before = _left(namespace, "dask.org/cluster-name=orphan")
    kubectl("delete", "daskcluster", "orphan", "-n", namespace, "--cascade=orphan")
    # The operator has heard of the deletion when it has made another cluster, asked for later.
    apply(namespace, _cluster("later", 1))
    eventually("the later cluster", lambda: _running(namespace, "dask.org/cluster-name=later") == 2, 60)
    assert _left(namespace, "dask.org/cluster-name=orphan") == before
    assert all(
        not pod["metadata"].get("deletionTimestamp")
        for pod in workers(namespace, "orphan-default", alive=False)
    )


@pytest.mark.alone
@pytest.mark.skipif(bool(WATCHED), reason="the operator's Role in it would go too")
@pytest.mark.parametrize("operator", ["running", "gone"])
def test_a_namespace_with_clusters_in_it_goes_within_a_minute(namespace: str, operator: str) -> None:
    apply(namespace, dask_cluster("real", 2), worker_group("more", "fakes", 5, **FAKE), _cluster("fakes", 20))
    wait_connected(namespace, "real", 2)
    eventually("the fakes", lambda: _running(namespace, "dask.org/cluster-name=fakes") == 26, 60)
    with no_operator() if operator == "gone" else nullcontext():
        started = time.monotonic()
        kubectl("delete", "namespace", namespace, "--timeout=60s")
        took = time.monotonic() - started
    print(f"the namespace was gone after {took:.1f} s with the operator {operator}")
