"""A cluster from `kubectl apply` to `kubectl delete`: names, numbers, metadata, healing."""

import time
from typing import Any

import pytest

from tests.support.dask import (
    GROUP,
    condition,
    dask_client,
    dask_cluster,
    events,
    fake_worker_pods,
    names,
    wait_connected,
    wait_told,
    worker_group,
    workers,
)
from tests.support.jobs import dask_job
from tests.support.kubectl import Tree, apply, eventually, get, kubectl, list_objects
from tests.support.operator_process import wait_rolled_out

from .test_crds import FULL_CLUSTER

FAKE = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}


def _wait_ready(namespace: str, cluster: str) -> None:
    kubectl("wait", "-n", namespace, "--for=condition=Ready", f"daskcluster/{cluster}", "--timeout=60s")


def _ready_workers(namespace: str, cluster: str, number: int) -> None:
    def full() -> bool:
        item = get(namespace, "daskcluster", cluster) or {}
        summary = item.get("status", {}).get("workers", {}).get("summary")
        return bool(summary == f"{number}/{number}")

    eventually(f"{number} of {number} workers of {cluster}", full)


def test_the_long_manifest_of_existing_users_gives_the_known_names(namespace: str) -> None:
    manifest = FULL_CLUSTER.replace("ghcr.io/dask/dask:latest", "localhost/dask:dev").replace(
        "full", "my-cluster"
    )
    kubectl("apply", "--warnings-as-errors", "-n", namespace, "-f", "-", stdin=manifest)
    wait_connected(namespace, "my-cluster", 3)
    pods = names(list_objects(namespace, "pods", "dask.org/cluster-name=my-cluster"))
    assert "my-cluster-scheduler" in pods
    assert len([name for name in pods if name.startswith("my-cluster-default-worker-")]) == 3
    service = get(namespace, "service", "my-cluster-scheduler")
    assert service is not None
    assert [port["port"] for port in service["spec"]["ports"]] == [8786, 8787]
    assert "my-cluster" in kubectl("get", "daskcluster", "-n", namespace)
    with dask_client(namespace, "my-cluster") as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
    kubectl("delete", "daskcluster", "my-cluster", "-n", namespace)

    def left() -> set[str]:
        kinds = ("pods", "services", "daskworkergroups")
        return {
            n
            for kind in kinds
            for n in names(list_objects(namespace, kind, "dask.org/cluster-name=my-cluster"))
        }

    eventually("nothing of the cluster to be left", lambda: not left(), 90)


def test_workers_follow_the_last_edit_of_either_number(namespace: str) -> None:
    apply(namespace, dask_cluster("scale", 2, worker=FAKE))
    _ready_workers(namespace, "scale", 2)

    def scale(kind: str, name: str, number: int) -> None:
        kubectl("scale", "-n", namespace, kind, name, f"--replicas={number}")
        _ready_workers(namespace, "scale", number)
        eventually(
            "surplus Pods to go", lambda: len(workers(namespace, "scale-default", alive=False)) == number
        )

    scale("daskcluster", "scale", 4)
    scale("daskworkergroup", "scale-default", 1)
    scale("daskcluster", "scale", 3)
    scale("daskworkergroup", "scale-default", 5)
    scale("daskworkergroup", "scale-default", 0)
    scale("daskcluster", "scale", 2)
    numbers = kubectl(
        "get",
        "daskcluster",
        "scale",
        "-n",
        namespace,
        "--subresource=scale",
        "-o",
        "jsonpath={.status.replicas}",
    )
    assert numbers == "2"


def test_metadata_is_handed_down_but_not_that_of_tools(namespace: str) -> None:
    cluster = dask_cluster(
        "meta",
        1,
        metadata={
            "labels": {"team": "blue", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"cost": "low", "kopf.zalando.org/x": "1", "meta.helm.sh/release-name": "r"},
        },
        worker={**FAKE, "metadata": {"labels": {"kind": "cpu"}}},
        scheduler={"metadata": {"annotations": {"note": "head"}}},
    )
    apply(namespace, cluster)
    _ready_workers(namespace, "meta", 1)
    _wait_ready(namespace, "meta")
    scheduler = get(namespace, "pod", "meta-scheduler")
    service = get(namespace, "service", "meta-scheduler")
    group = get(namespace, "daskworkergroup", "meta-default")
    [worker] = workers(namespace, "meta-default")
    assert scheduler is not None
    assert service is not None
    assert group is not None
    for item in (scheduler, service, group, worker):
        assert item["metadata"]["labels"]["team"] == "blue"
        assert item["metadata"]["annotations"]["cost"] == "low"
        keys = {*item["metadata"]["labels"], *item["metadata"]["annotations"]}
        assert not {key for key in keys if "helm" in key or "kopf" in key or "managed-by" in key}
    assert worker["metadata"]["labels"]["kind"] == "cpu"
    assert scheduler["metadata"]["annotations"]["note"] == "head"
    assert "note" not in worker["metadata"]["annotations"]


def test_a_group_may_come_before_its_cluster_and_is_adopted(namespace: str) -> None:
    apply(namespace, worker_group("early", "late", 2, **FAKE))

    def waits() -> bool:
        return (
            condition(get(namespace, "daskworkergroup", "early"), "Ready").get("reason") == "ClusterNotFound"
        )

    eventually("the group to say that it waits", waits, 20)
    apply(namespace, dask_cluster("late", 1, worker=FAKE))
    _ready_workers(namespace, "late", 3)
    cluster, group = get(namespace, "daskcluster", "late"), get(namespace, "daskworkergroup", "early")
    assert cluster is not None
    assert group is not None
    [owner] = group["metadata"]["ownerReferences"]
    assert owner["uid"] == cluster["metadata"]["uid"]
    kubectl("delete", "daskcluster", "late", "-n", namespace)
    eventually("the adopted group to go too", lambda: get(namespace, "daskworkergroup", "early") is None, 30)


def _replaced(namespace: str, name: str, replacement: Any) -> float:
    """Delete a Pod; gives the seconds from its disappearance to ``replacement()``."""
    kubectl("delete", "pod", name, "-n", namespace)  # returns when it is gone
    gone = time.monotonic()
    eventually(f"{name} to be replaced", replacement, 20, every=0.05)
    return time.monotonic() - gone


def test_deleted_pods_are_replaced_within_5_seconds(namespace: str) -> None:
    apply(namespace, dask_cluster("heal", 2))
    wait_connected(namespace, "heal", 2)
    before = names(workers(namespace, "heal-default"))
    victim = sorted(before)[0]
    assert _replaced(namespace, victim, lambda: names(workers(namespace, "heal-default")) - before) < 5
    wait_connected(namespace, "heal", 2)

    old = get(namespace, "pod", "heal-scheduler")
    assert old is not None

    def new_scheduler() -> Tree | None:
        pod = get(namespace, "pod", "heal-scheduler")
        return pod if pod and pod["metadata"]["uid"] != old["metadata"]["uid"] else None

    assert _replaced(namespace, "heal-scheduler", new_scheduler) < 5
    item = wait_connected(namespace, "heal", 2)
    assert item["status"]["scheduler"]["restarts"] == 1
    assert len(item["status"]["scheduler"]["lost"]) == 1
    wait_told(namespace, "heal", "SchedulerRestarted")
    with dask_client(namespace, "heal") as client:
        assert client.submit(sum, [4, 5]).result(timeout=30) == 9


def test_a_cluster_without_work_is_deleted_after_its_idle_timeout_and_the_event_says_why(
    namespace: str,
) -> None:
    apply(namespace, dask_cluster("idle", 1, idleTimeout=20))
    _wait_ready(namespace, "idle")
    with dask_client(namespace, "idle") as client:
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
    eventually("the cluster to go", lambda: get(namespace, "daskcluster", "idle") is None, 60)
    assert "20 s without work" in wait_told(namespace, "idle", "Deleted")
    eventually("its Pods to go", lambda: not list_objects(namespace, "pods"), 60)


def test_deleted_objects_come_back(namespace: str) -> None:
    apply(namespace, dask_cluster("back", 1, worker=FAKE))
    _ready_workers(namespace, "back", 1)
    kubectl("delete", "service", "back-scheduler", "-n", namespace)
    eventually("the Service", lambda: get(namespace, "service", "back-scheduler"), 10)
    kubectl("delete", "daskworkergroup", "back-default", "-n", namespace)
    eventually("the default group", lambda: get(namespace, "daskworkergroup", "back-default"), 10)
    _ready_workers(namespace, "back", 1)


def _foreign(kind: str, name: str) -> Tree:
    """An object that is in a cluster's way, and nobody's in particular."""
    metadata = {"name": name}
    if kind == "Pod":
        containers = [{"name": "c", "image": "localhost/dask:dev"}]
        spec = {**fake_worker_pods(), "containers": containers}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    if kind == "Service":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {"ports": [{"port": 1}]}}
    selector = {"matchLabels": {"nobody": "has-this"}}
    spec = {"minAvailable": 1, "selector": selector}
    return {"apiVersion": "policy/v1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("kind", ["Pod", "Service", "PodDisruptionBudget"])
def test_a_name_that_somebody_else_has_is_a_conflict_and_nothing_is_touched(
    namespace: str, kind: str
) -> None:
    apply(namespace, _foreign(kind, "taken-scheduler"))
    apply(namespace, dask_cluster("taken", 0, scheduler={"disruptionBudget": True}))

    def told() -> bool:
        ready = condition(get(namespace, "daskcluster", "taken"), "Ready")
        return ready.get("reason") == "NameConflict" and kind in ready["message"]

    eventually("NameConflict", told, 20)
    kubectl("delete", kind, "taken-scheduler", "-n", namespace, "--now")
    _wait_ready(namespace, "taken")


@pytest.mark.alone
def test_what_happens_again_under_another_operator_is_counted_in_its_event(namespace: str) -> None:
    apply(namespace, _foreign("Service", "taken-scheduler"))
    apply(namespace, dask_cluster("taken", 0, scheduler={"spec": fake_worker_pods()}))

    def told() -> list[int]:
        return [item["count"] for item in events(namespace, "taken") if item["reason"] == "NameConflict"]

    eventually("the Event", lambda: told() == [1], 20)
    deployment = ("deployment/dask-operator", "-n", "dask-operator")
    kubectl("rollout", "restart", *deployment)
    wait_rolled_out()
    eventually("the Event to be counted", lambda: told() == [2], 30)


def test_a_finalizer_that_another_operator_has_left_does_not_hold_a_cluster_back(namespace: str) -> None:
    left = {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    apply(namespace, dask_cluster("held", 1, metadata=left, worker=FAKE))
    _ready_workers(namespace, "held", 1)
    kubectl("delete", "daskcluster", "held", "-n", namespace, "--wait=false")
    eventually("the cluster to be gone", lambda: get(namespace, "daskcluster", "held") is None, 20)
    apply(namespace, dask_job("kept", "true", metadata=left, suspend=True))
    eventually("the job to be seen", lambda: (get(namespace, "daskjob", "kept") or {}).get("status"), 20)
    kubectl("delete", "daskjob", "kept", "-n", namespace, "--wait=false")
    eventually("the job to be gone", lambda: get(namespace, "daskjob", "kept") is None, 20)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [("DaskWorkerGroup", {"worker": {}}), ("DaskAutoscaler", {"minimum": 0, "maximum": 1})],
)
def test_that_finalizer_is_taken_off_what_has_no_cluster(namespace: str, kind: str, spec: Tree) -> None:
    left = {"name": "held", "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": left}
    apply(namespace, {**body, "spec": {"cluster": "nobody", **spec}})
    kubectl("delete", kind.lower(), "held", "-n", namespace, "--wait=false")
    eventually(f"the {kind} to be gone", lambda: get(namespace, kind.lower(), "held") is None, 20)


def test_groups_and_an_autoscaler_of_the_spec_come_follow_it_and_go_with_it(namespace: str) -> None:
    scheduler = {"spec": fake_worker_pods()}
    more = {"name": "more", "worker": {**FAKE, "replicas": 1}}
    bounds = {"minimum": 0, "maximum": 2}
    apply(
        namespace,
        dask_cluster("whole", 0, worker=FAKE, scheduler=scheduler, workerGroups=[more], autoscaler=bounds),
    )
    eventually("the worker of the further group", lambda: len(workers(namespace, "whole-more")) == 1, 30)
    eventually("the autoscaler", lambda: get(namespace, "daskautoscaler", "whole"), 20)
    apply(
        namespace,
        dask_cluster("whole", 0, worker=FAKE, scheduler=scheduler, autoscaler={**bounds, "maximum": 3}),
    )
    eventually("the group to go", lambda: get(namespace, "daskworkergroup", "whole-more") is None, 30)

    def maximum() -> object:
        return (get(namespace, "daskautoscaler", "whole") or {}).get("spec", {}).get("maximum")

    eventually("the autoscaler to follow", lambda: maximum() == 3, 20)
    apply(namespace, dask_cluster("whole", 0, worker=FAKE, scheduler=scheduler))
    eventually("the autoscaler to go", lambda: get(namespace, "daskautoscaler", "whole") is None, 20)


def test_a_group_that_belongs_to_something_else_says_so_and_gets_no_workers(namespace: str) -> None:
    apply(namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    owner = get(namespace, "configmap", "owner")
    assert owner is not None
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    group = worker_group("foreign", "host", 1, **FAKE)
    group["metadata"]["ownerReferences"] = [{**reference, "controller": True}]
    apply(namespace, group, dask_cluster("host", 0, scheduler={"spec": fake_worker_pods()}))

    def told() -> bool:
        return (
            condition(get(namespace, "daskworkergroup", "foreign"), "Ready").get("reason") == "NameConflict"
        )

    eventually("the group to say why", told, 20)
    assert workers(namespace, "foreign") == []
