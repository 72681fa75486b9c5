"""What is wrong with a cluster's Pods is told within seconds, with what to change, and not longer than it lasts."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.dask import condition, dask_cluster, event_reasons, fake_worker_pods, wait_told, workers
from tests.support.kubectl import Tree, apply, eventually, get, kubectl
from tests.support.namespaces import wait_in_force

SECONDS = 10
"""Between the moment that Kubernetes knows and the moment that the user can read it."""

FAKE_SCHEDULER = {"spec": fake_worker_pods()}
GOOD = {"spec": fake_worker_pods()}
EAT_MEMORY = "x = bytearray(10**9)"


def container(*args: str, **more: Any) -> Tree:
    return {"spec": {"containers": [{"name": "worker", "args": list(args), **more}]}}


def waits_with(*reasons: str) -> Callable[[Tree], bool]:
    def shown(pod: Tree) -> bool:
        statuses = pod.get("status", {}).get("containerStatuses", [])
        return any(status["state"].get("waiting", {}).get("reason") in reasons for status in statuses)

    return shown


def ended_again(pod: Tree) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return any(status["restartCount"] and "running" not in status["state"] for status in statuses)


def not_placed(pod: Tree) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item["type"] == "PodScheduled" and item["status"] == "False" for item in conditions)


WORKERS: dict[str, tuple[Tree, Callable[[Tree], bool], str]] = {
    "ImagePullFailed": (
        {"image": "localhost/none:no"},
        waits_with("ErrImagePull", "ImagePullBackOff"),
        "correct the image (localhost/none:no)",
    ),
    "Unschedulable": ({"spec": {"nodeSelector": {"moon": "full"}}}, not_placed, "free or add capacity"),
    "CommandNotFound": (
        container("dask-worker", "--name", "x"),
        waits_with("RunContainerError", "CrashLoopBackOff"),
        "write [dask, worker] in args",
    ),
    "CrashLoop": (
        container("sh", "-c", "echo I have no tools; exit 3"),
        ended_again,
        "exit code 3",
    ),
    "OOMKilled": (
        container("python", "-c", EAT_MEMORY, resources={"limits": {"memory": "60Mi"}}),
        ended_again,
        "raise the memory limit",
    ),
}


@pytest.mark.parametrize("reason", WORKERS)
def test_trouble_of_a_worker_is_told_with_its_remedy_and_is_gone_when_it_is_over(
    namespace: str, reason: str
) -> None:
    worker, shown, remedy = WORKERS[reason]
    apply(namespace, dask_cluster("bad", 1, worker=worker, scheduler=FAKE_SCHEDULER))
    eventually("Kubernetes to know", lambda: any(shown(pod) for pod in workers(namespace, "bad-default")), 60)

    def told(kind: str, name: str, of: str) -> Tree | None:
        held = condition(get(namespace, kind, name), of)
        return held if held.get("reason") == reason else None

    held = eventually("the cluster to tell", lambda: told("daskcluster", "bad", "WorkersReady"), SECONDS)
    assert remedy in held["message"]
    eventually("the group to tell", lambda: told("daskworkergroup", "bad-default", "Ready"), SECONDS)
    for name in ("bad", "bad-default"):
        eventually(f"an Event on {name}", lambda name=name: reason in event_reasons(namespace, name), SECONDS)  # type: ignore[misc]
    apply(namespace, dask_cluster("bad", 1, worker={**GOOD, "image": None}, scheduler=FAKE_SCHEDULER))
    eventually("the trouble to be over", lambda: told_well(namespace, "bad"), 60)


def told_well(namespace: str, cluster: str) -> bool:
    item = get(namespace, "daskcluster", cluster)
    return condition(item, "WorkersReady").get("reason") == "AllReady"


@pytest.mark.parametrize(
    ("scheduler", "reason", "remedy"),
    [
        (
            {"spec": {"containers": [{"name": "scheduler", "image": "localhost/none:no"}]}},
            "ImagePullFailed",
            "none:no",
        ),
        (
            {"spec": {"containers": [{"name": "scheduler", "args": ["dask-scheduler"]}]}},
            "CommandNotFound",
            "write [dask, scheduler] in args",
        ),
        ({"spec": {"containers": [{"name": "scheduler", "imagee": "x"}]}}, "PodRefused", "imagee"),
    ],
)
def test_trouble_of_a_scheduler_is_told_and_an_edit_ends_it(
    namespace: str, scheduler: Tree, reason: str, remedy: str
) -> None:
    apply(namespace, dask_cluster("head", 0, scheduler=scheduler))

    def ready() -> Tree:
        return condition(get(namespace, "daskcluster", "head"), "Ready")

    def troubled() -> Tree | None:
        item = get(namespace, "daskcluster", "head")
        return item if condition(item, "Ready").get("reason") == reason else None

    item = eventually(f"Ready to be False with {reason}", troubled, 40)
    assert remedy in condition(item, "Ready")["message"]
    assert item["status"]["phase"] == "Error"
    eventually("an Event", lambda: reason in event_reasons(namespace, "head"), SECONDS)
    apply(namespace, dask_cluster("head", 0, scheduler=FAKE_SCHEDULER))
    eventually("the cluster to be Ready after the edit", lambda: ready().get("status") == "True", 60)


def test_a_quota_is_told_and_workers_come_when_it_is_raised(namespace: str) -> None:
    def quota(pods: int) -> Tree:
        return {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few"},
            "spec": {"hard": {"count/pods": str(pods)}},
        }

    apply(namespace, quota(2))
    wait_in_force(namespace, "few")
    apply(namespace, dask_cluster("poor", 3, worker=GOOD, scheduler=FAKE_SCHEDULER))

    def told() -> bool:
        item = get(namespace, "daskcluster", "poor")
        return condition(item, "WorkersReady").get("reason") == "QuotaExceeded"

    eventually("the quota to be told", told, 2 * SECONDS)
    assert (
        "exceeded quota: few" in condition(get(namespace, "daskcluster", "poor"), "WorkersReady")["message"]
    )
    eventually("an Event", lambda: "QuotaExceeded" in event_reasons(namespace, "poor-default"), SECONDS)
    apply(namespace, quota(10))
    eventually("the workers to come", lambda: told_well(namespace, "poor"), 40)


def test_an_evicted_worker_is_told_and_replaced(namespace: str) -> None:
    apply(namespace, dask_cluster("full", 1, worker=GOOD, scheduler=FAKE_SCHEDULER))
    eventually("the worker", lambda: told_well(namespace, "full"), 40)
    [pod] = workers(namespace, "full-default")
    name = pod["metadata"]["name"]
    # No node here can be brought under pressure for one Pod only: this is what its kubelet would write.
    evicted = (
        '{"status":{"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory."}}'
    )
    kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", evicted)

    def failure() -> Tree | None:
        failures = (get(namespace, "daskworkergroup", "full-default") or {})["status"].get("lastFailures")
        return failures[-1] if failures else None

    told = eventually("the eviction to be told", failure, SECONDS)
    assert (told["pod"], told["reason"]) == (name, "Evicted")
    assert "low on resource: memory; ask for what it needs" in told["message"]
    eventually("an Event", lambda: "WorkerFailed" in event_reasons(namespace, "full-default"), SECONDS)
    eventually("another worker", lambda: name not in str(workers(namespace, "full-default")), SECONDS)
    eventually("all to be well", lambda: told_well(namespace, "full"), 40)


def test_the_last_failures_have_exit_code_and_log(namespace: str) -> None:
    once = "if [ -e /tmp/seen ]; then sleep 1000; fi; touch /tmp/seen; echo first line; echo the last line; exit 7"
    worker = container("sh", "-c", once)
    worker["spec"]["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    worker["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    apply(namespace, dask_cluster("fails", 1, worker=worker, scheduler=FAKE_SCHEDULER))

    def failures() -> list[Tree]:
        return (get(namespace, "daskworkergroup", "fails-default") or {}).get("status", {}).get(
            "lastFailures"
        ) or []

    eventually("the failure to be told", failures, 40)
    eventually("the worker to run again", lambda: told_well(namespace, "fails"), 40)
    [failure] = failures()
    assert (failure["exitCode"], failure["reason"], failure["restarted"]) == (7, "Error", True)
    assert failure["log"] == "first line\nthe last line"
    message = wait_told(namespace, "fails-default", "WorkerFailed")
    assert message.endswith("its log ends: the last line")


def test_a_pod_that_does_not_start_is_told_in_the_words_of_its_events(namespace: str) -> None:
    worker = container("sleep", "1", volumeMounts=[{"name": "v", "mountPath": "/v"}])
    worker["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "nowhere"}}]
    apply(namespace, dask_cluster("stuck", 1, worker=worker, scheduler=FAKE_SCHEDULER))

    def told() -> bool:
        held = condition(get(namespace, "daskcluster", "stuck"), "WorkersReady")
        return (
            held.get("reason") == "ContainerCreating" and 'configmap "nowhere" not found' in held["message"]
        )

    eventually("the missing ConfigMap to be told", told, 60)
    apply(namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nowhere"}})
    apply(namespace, dask_cluster("stuck", 1, worker=GOOD, scheduler=FAKE_SCHEDULER))
    eventually("all to be well", lambda: told_well(namespace, "stuck"), 60)


def test_nothing_is_written_while_nothing_changes(namespace: str) -> None:
    apply(namespace, dask_cluster("calm", 2, worker=GOOD, scheduler=FAKE_SCHEDULER))
    eventually("the workers", lambda: told_well(namespace, "calm"), 40)

    def said_all() -> bool:
        """Whether the last thing has been told that comes with time alone: that fake workers do not connect."""
        cluster = get(namespace, "daskcluster", "calm")
        return condition(cluster, "WorkersConnected").get("reason") == "NotConnecting"

    eventually("all to be said", said_all, 60)

    def versions() -> list[str]:
        items = [get(namespace, "daskcluster", "calm"), get(namespace, "daskworkergroup", "calm-default")]
        return [item["metadata"]["resourceVersion"] for item in items if item is not None]

    settled = [versions()]

    def unchanged() -> bool:
        settled.append(versions())
        return len(settled) > 40 and settled[-40] == settled[-1]

    eventually("8 s without a write", unchanged, 60)
    kubectl("annotate", "-n", namespace, "pod", "calm-scheduler", "example.com/poke=1")
    before = versions()
    apply(namespace, dask_cluster("later", 1, worker=GOOD, scheduler=FAKE_SCHEDULER))
    eventually("the operator to have seen later Pods", lambda: told_well(namespace, "later"), 40)
    assert versions() == before
