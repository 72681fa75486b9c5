"""Clusters that the operator of dask-kubernetes has made: left alone, then moved, and never run twice."""

import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from distributed import Client

from tests.support.dask import (
    GROUP,
    condition,
    dask_cluster,
    fake_worker_pods,
    names,
    on_workers,
    scheduler_spelt_out,
)
from tests.support.jobs import ended, job, only_left, outcomes
from tests.support.kubectl import KUBECTL, Tree, apply, eventually, get, kubectl, list_objects
from tests.support.namespaces import WATCHED
from tests.support.operator_process import no_operator
from tests.support.releases import (
    TAKE,
    incumbent_release,
    instead_of_the_release,
    namespaces,
    pods_as_made,
    uninstall,
    upgrade,
)
from tests.support.tally import note_run, start_tally

pytestmark = pytest.mark.alone

MARK = "kopf.zalando.org/last-handled-configuration"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"


def _deployment(name: str, component: str, owner: Tree, labels: Tree) -> Tree:
    """A Deployment as that operator makes one, of a Pod that runs nothing."""
    told = {"dask.org/cluster-name": "theirs", "dask.org/component": component, **labels}
    reference = {key: owner["metadata"][key] for key in ("name", "uid")}
    reference |= {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True}
    container = {"name": component, "image": "localhost/dask:dev"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": told, "ownerReferences": [reference]},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": told},
            "template": {
                "metadata": {"labels": told},
                "spec": {**fake_worker_pods(), "containers": [container]},
            },
        },
    }


def _made_by_another(namespace: str) -> None:
    """A DaskCluster with a scheduler and a worker that are Deployments."""
    cluster = dask_cluster(
        "theirs", 1, worker={"spec": fake_worker_pods()}, scheduler={"spec": fake_worker_pods()}
    )
    cluster["metadata"] |= {"annotations": {MARK: "{}"}, "finalizers": [FINALIZER]}
    apply(namespace, cluster)
    status = '{"status": {"phase": "Running"}}'
    kubectl(
        *("patch", "daskcluster", "theirs", "-n", namespace),
        *("--subresource=status", "--type=merge", "-p", status),
    )
    owner = get(namespace, "daskcluster", "theirs")
    assert owner is not None
    worker = {"dask.org/workergroup-name": "theirs-default"}
    apply(
        namespace,
        _deployment("theirs-scheduler", "scheduler", owner, {}),
        _deployment("theirs-default-worker-0a1b2c3d4e", "worker", owner, worker),
    )


def _both_pods(namespace: str) -> set[str]:
    """The names of the scheduler's Pod and of the worker's, once there are both."""
    held = names(list_objects(namespace, "pods"))
    return held if len(held) == 2 else set()


def _layout(namespace: str, reason: str) -> Tree | None:
    held = condition(get(namespace, "daskcluster", "theirs"), "LegacyLayout")
    return held if held.get("reason") == reason else None


def test_another_operator_s_cluster_is_left_alone_until_an_annotation_asks(namespace: str) -> None:
    with no_operator():
        _made_by_another(namespace)
        before = eventually("its two Pods", lambda: _both_pods(namespace), 60)
    held = eventually("the condition", lambda: _layout(namespace, "MadeOfDeployments"), 60)
    assert "left as they are" in held["message"]
    assert "kubernetes.dask.org/restart" in held["message"]
    assert names(list_objects(namespace, "pods")) == before
    assert names(list_objects(namespace, "deployments")) == {
        "theirs-scheduler",
        "theirs-default-worker-0a1b2c3d4e",
    }

    def finalizers() -> list[str]:
        return list((get(namespace, "daskcluster", "theirs") or {})["metadata"].get("finalizers", []))

    eventually("the finalizer to be taken off", lambda: not finalizers(), 30)
    kubectl("annotate", "daskcluster", "theirs", "-n", namespace, "kubernetes.dask.org/restart=now")
    eventually("our own scheduler", lambda: get(namespace, "pod", "theirs-scheduler"), 60)
    assert list_objects(namespace, "deployments") == []
    assert names(list_objects(namespace, "pods")) & before == set()
    eventually(
        "no condition any more",
        lambda: not condition(get(namespace, "daskcluster", "theirs"), "LegacyLayout"),
    )


# -- the real one


TASKS = 240


@on_workers
def _slow(address: str, number: int) -> int:
    import time

    note_run(address, str(number))
    time.sleep(1)
    return number


@contextmanager
def _their_client(namespace: str) -> Iterator[Client]:
    """A client of their cluster, whoever looks after it: our own asks the status for the address."""
    service = ("service/theirs-scheduler", "-n", namespace, ":8786")
    with subprocess.Popen([KUBECTL, "port-forward", *service], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert port is not None
            with Client(f"tcp://127.0.0.1:{port[1]}") as client:
                yield client
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(bool(WATCHED), reason="that operator looks after all namespaces")
def test_a_computing_cluster_of_the_incumbent_goes_on_and_is_moved_when_it_is_idle(namespace: str) -> None:
    place = f"legacy-{secrets.token_hex(3)}"
    cluster = _their_cluster(2)
    with instead_of_the_release(), namespaces(place):
        with incumbent_release(place):
            apply(namespace, cluster)
            eventually("their workers", lambda: _ready_workers(namespace) == 2, 180)
        tally = start_tally(namespace)
        before = pods_as_made(namespace, "theirs")
        with _their_client(namespace) as client:
            work = client.map(_slow, [tally.address] * TASKS, range(TASKS))
            eventually("a task to have begun", tally.runs, 30)
            upgrade("dask", place, *TAKE)
            eventually("the condition", lambda: _layout(namespace, "MadeOfDeployments"), 90)
            assert any(not task.done() for task in work), "it still computes"
            assert client.gather(work) == list(range(TASKS))
            assert pods_as_made(namespace, "theirs") == before
            del work
        assert sorted(int(key) for key, _ in tally.runs()) == list(range(TASKS)), "every task ran once"
        eventually("our own scheduler", lambda: get(namespace, "pod", "theirs-scheduler"), 180)
        assert list_objects(namespace, "deployments") == []
        eventually("our own workers", lambda: _ready_workers(namespace) == 2, 120)
        assert "finalizers" not in (get(namespace, "daskcluster", "theirs") or {})["metadata"]
        uninstall("dask", place)


_PROGRAM = """
import time
from distributed import Client

schedulers = set()
for pause in (60, 0):
    with Client(timeout=60) as client:
        schedulers.add(client.scheduler_info()["id"])
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
    print("computed", flush=True)
    time.sleep(pause)
assert len(schedulers) == 1, schedulers
"""
"""Without a client for longer than the operator takes to look whether a cluster is idle; then it needs it again."""


@pytest.mark.slow
@pytest.mark.skipif(bool(WATCHED), reason="that operator looks after all namespaces")
def test_a_running_job_of_the_incumbent_goes_on_and_ends_once(namespace: str) -> None:
    place = f"legacy-{secrets.token_hex(3)}"
    with instead_of_the_release(), namespaces(place):
        with incumbent_release(place):
            apply(namespace, _their_job())
            eventually("its program to compute", lambda: "computed" in _said(namespace), 180)
        before = names(list_objects(namespace, "pods"))
        assert job(namespace, "theirs")["status"]["jobStatus"] == "Running"
        upgrade("dask", place, *TAKE)
        eventually("the condition", lambda: _layout(namespace, "MadeOfDeployments"), 90)
        seen: set[str] = set()

        def over() -> bool:
            seen.update(names(list_objects(namespace, "pods")))
            return bool(outcomes(job(namespace, "theirs")) == ["Succeeded"])

        eventually("the program to have ended", over, 180)
        assert seen == before, "nothing was made beside what was there"
        assert _said(namespace).split() == ["computed", "computed"], "it ran once"
        ended(namespace, "theirs", "Complete", "Completed")
        only_left(namespace, "theirs-runner", seconds=120)
        assert list_objects(namespace, "deployments") == []
        kubectl("delete", "daskjob", "theirs", "-n", namespace, "--timeout=60s")
        uninstall("dask", place)


def _said(namespace: str) -> str:
    return kubectl("logs", "theirs-runner", "-n", namespace, check=False)


def _their_job() -> Tree:
    """A job as the documentation of that operator has them."""
    program = {"name": "job", "image": "localhost/dask-tests:dev", "command": ["python", "-c", _PROGRAM]}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "DaskJob",
        "metadata": {"name": "theirs"},
        "spec": {
            "job": {"spec": {"restartPolicy": "Never", "containers": [program]}},
            "cluster": {"spec": _their_cluster(1)["spec"]},
        },
    }


def _their_cluster(workers: int) -> Tree:
    """A cluster as the documentation of that operator has them: every field is written out."""
    container = {"image": "localhost/dask-tests:dev", "args": ["dask-scheduler"], "name": "scheduler"}
    worker = {**container, "name": "worker", "args": ["dask-worker", "--name", "$(DASK_WORKER_NAME)"]}
    return dask_cluster(
        "theirs",
        workers,
        worker={"spec": {"containers": [worker]}},
        scheduler=scheduler_spelt_out("theirs", container),
    )


def _ready_workers(namespace: str) -> int:
    pods = list_objects(namespace, "pods", "dask.org/cluster-name=theirs,dask.org/component=worker")
    ready = [
        pod
        for pod in pods
        for entry in pod["status"].get("conditions", [])
        if (entry["type"], entry["status"]) == ("Ready", "True")
        and "deletionTimestamp" not in pod["metadata"]
    ]
    return len(ready)
