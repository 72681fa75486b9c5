"""The installed autoscaler gives clusters the workers that their work needs, and takes none that has some."""

import time
from collections import Counter
from typing import Any

from distributed import Client, Future

from tests.support.dask import (
    condition,
    dask_client,
    dask_cluster,
    fake_worker_pods,
    on_workers,
    wait_told,
    workers,
)
from tests.support.kubectl import Tree, apply, eventually, get, kubectl
from tests.support.tally import note_run, start_tally

TASKS = 40
MOST = 4
QUICK = {"scaleDown": {"stabilizationWindowSeconds": 10}}


def autoscaler(name: str, cluster: str, minimum: int, maximum: int, **spec: Any) -> Tree:
    """A DaskAutoscaler."""
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskAutoscaler",
        "metadata": {"name": name},
        "spec": {"cluster": cluster, "minimum": minimum, "maximum": maximum, **spec},
    }


@on_workers
def _work(number: int, tally: str) -> int:
    import time

    note_run(tally, str(number))
    time.sleep(1)
    return number


def _connected(client: Client) -> int:
    return len(client.scheduler_info()["workers"])


def test_workers_come_for_the_work_and_go_after_it_and_no_task_runs_twice(namespace: str) -> None:
    apply(namespace, dask_cluster("wave", 0), autoscaler("wave", "wave", 0, MOST, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/wave", "--timeout=60s")
    tally = start_tally(namespace)
    with dask_client(namespace, "wave") as client:
        futures: list[Future] = client.map(_work, range(TASKS), tally=tally.address)
        began = time.monotonic()
        eventually("the first worker", lambda: _connected(client) > 0, 30)
        print(f"first worker after {time.monotonic() - began:.1f} s")
        eventually("all that it may have", lambda: _connected(client) == MOST, 60)
        assert client.gather(futures) == list(range(TASKS))
        del futures
        eventually("no worker", lambda: not workers(namespace, "wave-default", alive=False), 90)
    assert Counter(key for key, _ in tally.runs()) == Counter(str(n) for n in range(TASKS))
    told = get(namespace, "daskautoscaler", "wave")
    assert condition(told, "AbleToScale")["status"] == "True"
    assert condition(told, "ScalingActive")["status"] == "True"
    wait_told(namespace, "wave", "SuccessfulRescale")


def test_bounds_hold_at_once_and_a_scheduler_that_does_not_answer_changes_nothing_else(
    namespace: str,
) -> None:
    fake = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
    apply(
        namespace,
        dask_cluster("mute", 3, worker=fake, scheduler={"spec": fake_worker_pods()}),
        autoscaler("mute", "mute", 1, 5),
    )
    eventually("the workers", lambda: len(workers(namespace, "mute-default")) == 3, 30)

    def active() -> Tree:
        return condition(get(namespace, "daskautoscaler", "mute"), "ScalingActive")

    eventually("the silence to be told", lambda: active().get("status") == "False", 30)
    assert len(workers(namespace, "mute-default")) == 3
    kubectl(
        "patch", "daskautoscaler", "mute", "-n", namespace, "--type=merge", "-p", '{"spec": {"minimum": 5}}'
    )
    eventually("five workers", lambda: len(workers(namespace, "mute-default")) == 5, 20)


def test_an_autoscaler_waits_for_its_cluster_and_the_younger_of_two_does_nothing(namespace: str) -> None:
    apply(namespace, autoscaler("early", "later", 2, 3))

    def able(name: str) -> Tree:
        return condition(get(namespace, "daskautoscaler", name), "AbleToScale")

    eventually("it to say what it waits for", lambda: able("early").get("reason") == "ClusterNotFound", 20)
    fake = {"spec": fake_worker_pods()}
    apply(namespace, dask_cluster("later", 0, worker=fake, scheduler=fake))
    eventually("its minimum", lambda: len(workers(namespace, "later-default")) == 2, 30)
    owners = (get(namespace, "daskautoscaler", "early") or {})["metadata"]["ownerReferences"]
    assert [(owner["kind"], owner["name"]) for owner in owners] == [("DaskCluster", "later")]
    apply(namespace, autoscaler("second", "later", 3, 3))
    eventually("the younger to refuse", lambda: able("second").get("reason") == "DuplicateTarget", 20)
    assert len(workers(namespace, "later-default")) == 2
