"""What Kubernetes takes away comes back, and a cluster that keeps losing it does not spin."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.dask import (
    condition,
    dask_client,
    dask_cluster,
    events,
    fake_worker_pods,
    names,
    wait_connected,
    wait_told,
    workers,
)
from tests.support.kubectl import KubectlError, Tree, apply, eventually, get, kubectl

FAKE = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
FAKE_SCHEDULER = {"spec": fake_worker_pods()}


def _ready(namespace: str, cluster: str) -> Tree:
    return condition(get(namespace, "daskcluster", cluster), "Ready")


def _uid(namespace: str, pod: str) -> str:
    return str((get(namespace, "pod", pod) or {}).get("metadata", {}).get("uid", ""))


def test_a_scheduler_that_is_lost_again_and_again_is_replaced_ever_more_slowly(namespace: str) -> None:
    apply(namespace, dask_cluster("doom", 0, scheduler=FAKE_SCHEDULER))
    for loss in range(3):
        eventually("the cluster to be Ready", lambda: _ready(namespace, "doom").get("status") == "True", 30)
        uid = _uid(namespace, "doom-scheduler")
        kubectl("delete", "pod", "doom-scheduler", "-n", namespace, "--now")
        if loss < 2:
            eventually("another one", lambda uid=uid: _uid(namespace, "doom-scheduler") not in ("", uid), 10)  # type: ignore[misc]
    eventually(
        "an Event about the pause",
        lambda: any(
            item["reason"] == "SchedulerLost" and "lost 3 times" in item["message"]
            for item in events(namespace, "doom")
        ),
        30,
    )
    eventually(
        "the cluster to be Ready after the pause",
        lambda: _ready(namespace, "doom").get("status") == "True",
        30,
    )
    assert (get(namespace, "daskcluster", "doom") or {})["status"]["scheduler"]["restarts"] == 3


def test_a_scheduler_that_ends_by_itself_is_replaced_and_its_end_is_told(namespace: str) -> None:
    apply(namespace, dask_cluster("crash", 1))
    before = wait_connected(namespace, "crash", 1)["status"]["scheduler"]
    os.kill(_process(namespace, "crash-scheduler"), signal.SIGKILL)

    def told() -> Tree | None:
        scheduler = (get(namespace, "daskcluster", "crash") or {})["status"]["scheduler"]
        return scheduler if scheduler["restarts"] == before["restarts"] + 1 else None

    scheduler = eventually("the new life to be counted", told, 30)
    assert scheduler["lastEnd"]["exitCode"] == 137
    wait_told(namespace, "crash", "SchedulerRestarted")
    wait_connected(namespace, "crash", 1)
    with dask_client(namespace, "crash") as client:
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3


def _process(namespace: str, pod: str) -> int:
    """The process of a Pod's container on this machine: what `dask scheduler` runs in."""
    uid = _uid(namespace, pod).replace("-", "[-_]")
    found = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and re.search(uid, _read(entry / "cgroup"))
        and "dask" in _read(entry / "cmdline")
    ]
    assert found, f"Pod {pod} runs no process on this machine"
    return min(found)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.slow
def test_a_scheduler_that_hangs_is_noticed_within_a_minute_and_no_worker_is_killed(namespace: str) -> None:
    apply(namespace, dask_cluster("hang", 2))
    before = wait_connected(namespace, "hang", 2)["status"]["scheduler"]
    held = {pod["metadata"]["uid"]: _starts(pod) for pod in workers(namespace, "hang-default")}
    started = time.monotonic()
    os.kill(_process(namespace, "hang-scheduler"), signal.SIGSTOP)
    eventually(
        "the cluster to be no longer Ready", lambda: _ready(namespace, "hang").get("status") == "False", 60
    )
    noticed = time.monotonic() - started
    assert {pod["metadata"]["uid"]: _starts(pod) for pod in workers(namespace, "hang-default")} == held

    def restarted() -> bool:
        scheduler = (get(namespace, "daskcluster", "hang") or {})["status"]["scheduler"]
        return bool(scheduler["restarts"] > before["restarts"])

    eventually("the kubelet to start it anew", restarted, 120)
    wait_connected(namespace, "hang", 2)
    assert noticed < 60


def _starts(pod: Tree) -> Any:
    return [status["restartCount"] for status in pod["status"]["containerStatuses"]]


def _node(name: str, kwok: bool) -> Tree:
    annotations = {"kwok.x-k8s.io/node": "fake"} if kwok else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": annotations, "labels": {"test-node": name}},
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "32", "memory": "64Gi", "pods": "110"}},
    }


@pytest.mark.slow
def test_workers_of_a_node_that_is_gone_are_replaced(namespace: str) -> None:
    name = f"lost-{namespace[-6:]}"
    kubectl("apply", "-f", "-", stdin=json.dumps(_node(name, kwok=True)))
    try:
        pinned = {**FAKE, "spec": {**fake_worker_pods(), "nodeSelector": {"test-node": name}}}
        apply(namespace, dask_cluster("node", 2, worker=pinned, scheduler=FAKE_SCHEDULER))
        eventually("two workers on the node", lambda: _running(namespace, "node-default") == 2, 60)
        before = names(workers(namespace, "node-default"))
    finally:
        kubectl("delete", "node", name)
    apply(namespace, dask_cluster("node", 2, worker=FAKE, scheduler=FAKE_SCHEDULER))

    def replaced() -> bool:
        now = workers(namespace, "node-default", alive=False)
        return len(now) == 2 and not names(now) & before

    eventually("both workers to be replaced elsewhere", replaced, 180)


def _running(namespace: str, group: str) -> int:
    return sum(1 for pod in workers(namespace, group) if pod["status"].get("phase") == "Running")


@pytest.mark.slow
def test_a_pod_that_no_kubelet_ends_is_deleted_by_force_after_its_grace_and_a_minute(namespace: str) -> None:
    name = f"dead-{namespace[-6:]}"
    kubectl("apply", "-f", "-", stdin=json.dumps(_node(name, kwok=False)))
    try:
        on_it = {"spec": {"nodeName": name, "terminationGracePeriodSeconds": 2}}
        apply(namespace, dask_cluster("silent", 1, worker=on_it, scheduler={**on_it}))
        eventually("the scheduler Pod on the dead node", lambda: _uid(namespace, "silent-scheduler"), 20)
        [worker] = eventually("the worker Pod", lambda: workers(namespace, "silent-default"), 20)
        uid = _uid(namespace, "silent-scheduler")
        kubectl("delete", "pod", "-n", namespace, "--all", "--wait=false")
        started = time.monotonic()
        eventually("a new scheduler Pod", lambda: _uid(namespace, "silent-scheduler") not in ("", uid), 120)
        assert time.monotonic() - started > 55
        name_of = worker["metadata"]["name"]
        eventually("the old worker to be gone", lambda: get(namespace, "pod", name_of) is None, 30)
        wait_told(namespace, "silent", "Deleted")
    finally:
        kubectl("delete", "daskcluster", "silent", "-n", namespace)
        kubectl("delete", "node", name)


def test_a_worker_that_ends_though_nobody_retired_it_is_replaced(namespace: str) -> None:
    apply(namespace, dask_cluster("ends", 2))
    wait_connected(namespace, "ends", 2)
    before = names(workers(namespace, "ends-default"))
    with dask_client(namespace, "ends") as client:
        first = sorted(client.scheduler_info(n_workers=-1)["workers"])[0]
        client.retire_workers([first])

        def replaced() -> bool:
            now = names(workers(namespace, "ends-default", alive=False))
            return len(now) == 2 and now != before

        eventually("another worker in its place", replaced, 60)
    wait_connected(namespace, "ends", 2)
    assert len(names(workers(namespace, "ends-default")) & before) == 1


def test_a_disruption_budget_keeps_the_scheduler_from_being_evicted(namespace: str) -> None:
    def cluster(budget: bool) -> Tree:
        return dask_cluster("safe", 1, worker=FAKE, scheduler={**FAKE_SCHEDULER, "disruptionBudget": budget})

    def budget() -> Tree | None:
        return get(namespace, "poddisruptionbudget", "safe-scheduler")

    def evict() -> str:
        path = f"/api/v1/namespaces/{namespace}/pods/safe-scheduler/eviction"
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "safe-scheduler", "namespace": namespace},
        }
        try:
            return kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        except KubectlError as error:
            return str(error)

    apply(namespace, cluster(True))
    eventually("the cluster to be Ready", lambda: _ready(namespace, "safe").get("status") == "True", 30)
    eventually("the budget", budget, 10)
    uid = _uid(namespace, "safe-scheduler")
    eventually("the budget to be counted", lambda: (budget() or {})["status"].get("currentHealthy") == 1, 20)
    assert "disruption budget" in evict()
    kubectl("delete", "poddisruptionbudget", "safe-scheduler", "-n", namespace)
    eventually("the budget to be back", budget, 10)
    apply(namespace, cluster(False))
    eventually("the budget to be gone", lambda: budget() is None, 10)
    assert "disruption budget" not in evict()
    eventually("another scheduler", lambda: _uid(namespace, "safe-scheduler") not in ("", uid), 20)


def test_a_priority_class_can_be_set_without_a_whole_template(namespace: str) -> None:
    spec = {**fake_worker_pods(), "priorityClassName": "system-cluster-critical"}
    apply(namespace, dask_cluster("first", 1, worker={**FAKE, "spec": spec}, scheduler={"spec": spec}))
    [worker] = eventually("the worker", lambda: workers(namespace, "first-default"), 30)
    scheduler = get(namespace, "pod", "first-scheduler")
    assert scheduler is not None
    for pod in (worker, scheduler):
        assert pod["spec"]["priorityClassName"] == "system-cluster-critical"
        assert pod["spec"]["containers"][0]["image"] == "localhost/dask:dev"
    assert scheduler["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
