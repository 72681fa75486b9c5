"""The installed autoscaler gives clusters the workers that their work needs, and takes none that has some."""

import time
from collections import Counter
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client, Future

from tests.support.dask import (
    condition,
    dask_client,
    dask_cluster,
    fake_worker_pods,
    on_workers,
    wait_told,
    worker_group,
    workers,
)
from tests.support.kubectl import Tree, apply, eventually, get, kubectl, list_objects
from tests.support.tally import note_run, start_tally

TASKS = 40
MOST = 4
RELEASE = "dask-operator"
OWN = "app.kubernetes.io/component=autoscaler"
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


def _holder() -> str:
    lease = get(RELEASE, "lease", "dask-operator-autoscaler") or {}
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def _connected(client: Client) -> int:
    return len(client.scheduler_info()["workers"])


def test_workers_come_for_the_work_and_go_after_it_and_no_task_runs_twice(namespace: str) -> None:
    apply(namespace, dask_cluster("wave", 0), autoscaler("wave", "wave", 0, MOST, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/wave", "--timeout=60s")
    tally = start_tally(namespace)
    with dask_client(namespace, "wave") as client:
        futures: list[Future] = client.map(_work, range(TASKS), tally=tally.address)
        began = time.monotonic()
        eventually("the first worker", lambda: _connected(client) > 0, 90)
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


def test_each_of_several_autoscalers_gives_its_group_what_only_that_can_do(namespace: str) -> None:
    gpu = {"spec": {"containers": [{"name": "worker", "args": ["dask", "worker", "--resources", "GPU=1"]}]}}
    apply(
        namespace,
        dask_cluster("two", 0),
        worker_group("two-gpu", "two", 0, **gpu),
        autoscaler("two", "two", 0, 2, behavior=QUICK),
        autoscaler("two-gpu", "two", 0, 2, workerGroup="two-gpu", behavior=QUICK),
    )
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/two", "--timeout=60s")
    tally = start_tally(namespace)
    with dask_client(namespace, "two") as client:
        plain: list[Future] = client.map(_work, range(10), tally=tally.address)
        eventually("a worker of the default group", lambda: _connected(client) > 0, 90)
        assert client.gather(plain) == list(range(10))
        assert workers(namespace, "two-gpu") == []
        special: list[Future] = client.map(_work, range(10, 14), tally=tally.address, resources={"GPU": 1})
        assert client.gather(special) == list(range(10, 14))
        del plain, special
        eventually("no worker of the default group", lambda: not workers(namespace, "two-default"), 90)
        eventually("no worker of the other group", lambda: not workers(namespace, "two-gpu"), 90)
    ran_on = {pod.rpartition("-worker-")[0] for key, pod in tally.runs() if int(key) >= 10}
    assert ran_on == {"two-gpu"}
    assert Counter(key for key, _ in tally.runs()) == Counter(str(n) for n in range(14))


def test_a_number_set_by_hand_is_answered_by_an_event_and_by_the_next_decision(namespace: str) -> None:
    apply(namespace, dask_cluster("hand", 0), autoscaler("hand", "hand", 1, 4, behavior=QUICK))
    eventually("its minimum", lambda: len(workers(namespace, "hand-default")) == 1, 40)
    kubectl("scale", "daskworkergroup", "hand-default", "-n", namespace, "--replicas=3")
    message = wait_told(namespace, "hand", "ScaledByOthers", 30)
    assert "from 1 to 3" in message
    assert "spec.suspend" in message
    eventually("its minimum again", lambda: len(workers(namespace, "hand-default")) == 1, 60)


@pytest.mark.alone
def test_the_autoscaler_that_decides_holds_the_lease_and_a_new_one_takes_it_over(namespace: str) -> None:
    def pods() -> list[str]:
        ready = [
            pod for pod in list_objects(RELEASE, "pods", OWN) if not pod["metadata"].get("deletionTimestamp")
        ]
        return [pod["metadata"]["name"] for pod in ready]

    before = eventually("the autoscaler", pods)[0]
    eventually("it to hold the Lease", lambda: _holder().startswith(f"{before}_"), 30)
    kubectl("rollout", "restart", "deployment/dask-operator-autoscaler", "-n", RELEASE)
    kubectl("rollout", "status", "deployment/dask-operator-autoscaler", "-n", RELEASE, "--timeout=60s")
    after = eventually("another one", lambda: next((name for name in pods() if name != before), None))
    eventually("it to hold the Lease", lambda: _holder().startswith(f"{after}_"), 10)
    fake = {"spec": fake_worker_pods()}
    apply(namespace, dask_cluster("next", 0, worker=fake, scheduler=fake), autoscaler("next", "next", 2, 3))
    eventually("the new one to decide", lambda: len(workers(namespace, "next-default")) == 2, 30)


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


PARTS, ROWS, KEYS = 40, 5000, 97


@on_workers
def _part(number: int, rows: int = ROWS, keys: int = KEYS) -> pd.DataFrame:
    import time

    import pandas

    time.sleep(0.5)
    column = [(number * rows + row) % keys for row in range(rows)]
    return pandas.DataFrame({"key": column, "part": number})


@on_workers
def _counted(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("key").size()


@on_workers
def _shuffles(dask_scheduler: Any) -> int:
    return len(dask_scheduler.plugins["shuffle"].active_shuffles)


@pytest.mark.slow
def test_a_shuffle_runs_through_a_scale_down_and_is_right(namespace: str) -> None:
    apply(namespace, dask_cluster("mix", 0), autoscaler("mix", "mix", MOST, MOST, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/mix", "--timeout=60s")
    with dask_client(namespace, "mix") as client:
        eventually("all workers", lambda: _connected(client) == MOST, 60)
        empty = pd.DataFrame({"key": pd.Series(dtype="int64"), "part": pd.Series(dtype="int64")})
        frame = dd.from_map(_part, range(PARTS), meta=empty).shuffle("key")
        counts = frame.map_partitions(_counted, meta=pd.Series(dtype="int64"))
        future: Future = client.compute(counts)
        eventually("the shuffle to run", lambda: client.run_on_scheduler(_shuffles), 30)
        bounds = '{"spec": {"minimum": 1, "maximum": 2}}'
        kubectl("patch", "daskautoscaler", "mix", "-n", namespace, "--type=merge", "-p", bounds)
        eventually("two of them to go", lambda: len(workers(namespace, "mix-default")) <= 2, 60)
        found: pd.Series = future.result(timeout=120)
    assert found.index.is_unique, "a key came out in two partitions"
    rows = pd.Series([row % KEYS for row in range(PARTS * ROWS)]).value_counts()
    assert found.sort_index().tolist() == rows.sort_index().tolist()
