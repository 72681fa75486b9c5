"""Scaling down loses no finished result and computes none again: counted outside Dask, on real workers."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from distributed import Client, Future, wait

from tests.support.dask import (
    condition,
    dask_client,
    dask_cluster,
    names,
    on_workers,
    wait_connected,
    wait_told,
    worker_group,
    workers,
)
from tests.support.kubectl import apply, eventually, get, kubectl
from tests.support.tally import Tally, note_run, start_tally

RESULTS = 200
NUMBERS = 524_288  # of 8 bytes: 4 MB
SLOW = 60

TWO_PROCESSES = {
    "containers": [
        {
            "name": "worker",
            "args": ["dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nworkers", "2", "--nthreads", "1"],
        }
    ]
}


@on_workers
def _fill(number: int, address: str) -> Any:
    note_run(address, f"fill-{number}")
    return np.full(NUMBERS, number, dtype="float64")


@on_workers
def _slow(number: int, address: str) -> int:
    import time

    note_run(address, f"slow-{number}")
    time.sleep(1)
    return number


def _spread_results(client: Client, tally: Tally) -> list[Future]:
    """200 results of 4 MB, the same number on each worker of the default group."""
    addresses = [
        address
        for address, info in client.scheduler_info(n_workers=-1)["workers"].items()
        if "-default-" in info["name"]
    ]
    futures = [
        client.submit(_fill, n, tally.address, workers=[addresses[n % len(addresses)]])
        for n in range(RESULTS)
    ]
    wait(futures)
    held = client.has_what()
    assert all(held[address] for address in addresses), "the results are not on all workers"
    return futures


def _sums(client: Client, futures: list[Future]) -> list[float]:
    """The sum of each result, in order: gathered one by one, so that each is really there."""
    return [float(client.gather(future).sum()) for future in futures]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param({}, id="one-process"),
        pytest.param(TWO_PROCESSES, id="two-processes", marks=pytest.mark.slow),
    ],
)
def test_shrinking_from_8_to_2_keeps_every_result(namespace: str, template: dict[str, Any]) -> None:
    apply(
        namespace,
        dask_cluster("shrink", 8, worker={"spec": template} if template else {}),
        worker_group("shrink-other", "shrink", 1),
    )
    tally = start_tally(namespace)
    wait_connected(namespace, "shrink", 9)
    others = names(workers(namespace, "shrink-other"))
    before = names(workers(namespace, "shrink-default"))
    with dask_client(namespace, "shrink", much_data=True) as client:
        client.wait_for_workers(9 if not template else 17, timeout=60)
        futures = _spread_results(client, tally)
        slow = [client.submit(_slow, n, tally.address) for n in range(SLOW)]
        kubectl("scale", "-n", namespace, "daskworkergroup", "shrink-default", "--replicas=2")
        wait_connected(namespace, "shrink", 3)
        eventually("two worker Pods", lambda: len(workers(namespace, "shrink-default", alive=False)) == 2)
        assert client.gather(slow) == list(range(SLOW))
        assert _sums(client, futures) == [float(n * NUMBERS) for n in range(RESULTS)]
    gone = before - names(workers(namespace, "shrink-default"))
    assert len(gone) == 6
    assert names(workers(namespace, "shrink-other")) == others
    _check_runs(tally, gone)


def _check_runs(tally: Tally, gone: set[str]) -> None:
    runs = tally.runs()
    counts = Counter(key for key, _ in runs)
    assert {key: n for key, n in counts.items() if key.startswith("fill-") and n != 1} == {}
    assert len([key for key in counts if key.startswith("fill-")]) == RESULTS
    assert len([key for key in counts if key.startswith("slow-")]) == SLOW
    twice = {key for key, n in counts.items() if n > 1}
    began_on = {key: [pod for ran, pod in runs if ran == key] for key in twice}
    assert {key: pods for key, pods in began_on.items() if not set(pods[:-1]) <= gone} == {}


def test_workers_whose_results_have_nowhere_to_go_stay(namespace: str) -> None:
    apply(namespace, dask_cluster("full", 2))
    tally = start_tally(namespace)
    wait_connected(namespace, "full", 2)
    with dask_client(namespace, "full") as client:
        futures = [client.submit(_fill, n, tally.address) for n in range(10)]
        wait(futures)
        kubectl("scale", "-n", namespace, "daskcluster", "full", "--replicas=0")

        def blocked() -> str:
            held = condition(get(namespace, "daskworkergroup", "full-default"), "DrainBlocked")
            return str(held["reason"]) if held.get("status") == "True" else ""

        eventually("DrainBlocked for want of room", lambda: blocked() == "NoRoomForResults", 30)
        assert _sums(client, futures) == [float(n * NUMBERS) for n in range(10)]
        wait_told(namespace, "full-default", "DrainBlocked")
        del futures
        eventually("no worker left", lambda: not workers(namespace, "full-default", alive=False), 60)
        eventually("DrainBlocked to end", lambda: not blocked(), 10)
    assert set(Counter(key for key, _ in tally.runs()).values()) == {1}


def test_a_shrink_that_is_taken_back_keeps_the_workers(namespace: str) -> None:
    apply(namespace, dask_cluster("back", 2))
    tally = start_tally(namespace)
    wait_connected(namespace, "back", 2)
    before = names(workers(namespace, "back-default"))
    with dask_client(namespace, "back") as client:
        futures = [client.submit(_fill, n, tally.address) for n in range(10)]
        wait(futures)
        kubectl("scale", "-n", namespace, "daskworkergroup", "back-default", "--replicas=0")

        def drain_status() -> str:
            return str(
                condition(get(namespace, "daskworkergroup", "back-default"), "DrainBlocked").get("status")
            )

        eventually("DrainBlocked", lambda: drain_status() == "True", 30)
        kubectl("scale", "-n", namespace, "daskworkergroup", "back-default", "--replicas=2")
        eventually("DrainBlocked to end", lambda: drain_status() == "False", 30)
        wait_connected(namespace, "back", 2)
        assert client.submit(sum, [1, 2], pure=False).result(timeout=30) == 3
        assert _sums(client, futures) == [float(n * NUMBERS) for n in range(10)]
    remaining = names(workers(namespace, "back-default"))
    assert len(remaining) == 2
    assert remaining & before, "at least the worker that could not go is kept"


def test_a_limit_on_the_drain_ends_it_and_says_what_was_lost(namespace: str) -> None:
    apply(namespace, dask_cluster("limit", 1, worker={"drainTimeoutSeconds": 5}))
    tally = start_tally(namespace)
    wait_connected(namespace, "limit", 1)
    with dask_client(namespace, "limit") as client:
        futures = [client.submit(_fill, n, tally.address) for n in range(3)]
        wait(futures)
        kubectl("scale", "-n", namespace, "daskcluster", "limit", "--replicas=0")
        eventually("no worker left", lambda: not workers(namespace, "limit-default", alive=True), 60)
    assert "3 results in their memory are lost" in wait_told(namespace, "limit-default", "WorkersRemoved")


def test_a_worker_pod_that_is_deleted_by_hand_hands_over_its_results(namespace: str) -> None:
    apply(namespace, dask_cluster("evict", 3))
    tally = start_tally(namespace)
    wait_connected(namespace, "evict", 3)
    with dask_client(namespace, "evict") as client:
        futures = [client.submit(_fill, n, tally.address) for n in range(40)]
        wait(futures)
        victim = sorted(names(workers(namespace, "evict-default")))[0]
        kubectl("delete", "pod", "-n", namespace, victim, "--wait=false")
        eventually("the Pod to be gone", lambda: get(namespace, "pod", victim) is None, 60)
        wait_connected(namespace, "evict", 3)
        assert _sums(client, futures) == [float(n * NUMBERS) for n in range(40)]
    assert Counter(Counter(key for key, _ in tally.runs()).values()) == {1: 40}


@pytest.mark.slow
def test_a_worker_that_is_deleted_as_soon_as_it_has_a_result_hands_it_over(namespace: str) -> None:
    """What the operator knows of a scheduler's workers may be older than such a worker."""
    apply(namespace, dask_cluster("young", 1))
    tally = start_tally(namespace)
    with dask_client(namespace, "young") as client:
        futures = [_result_of_a_new_worker(namespace, client, n, tally) for n in range(8)]
        assert _sums(client, futures) == [float(n * NUMBERS) for n in range(8)]
    assert Counter(key for key, _ in tally.runs()) == {f"fill-{n}": 1 for n in range(8)}


def _result_of_a_new_worker(namespace: str, client: Client, number: int, tally: Tally) -> Future:
    """A result that was computed by a worker whose Pod was deleted at once, when that is gone."""

    def known() -> dict[str, str]:
        return {a: w["name"] for a, w in client.scheduler_info(n_workers=-1)["workers"].items()}

    wait_connected(namespace, "young", 1)
    before = known()
    kubectl("scale", "-n", namespace, "daskcluster", "young", "--replicas=2")
    address = eventually("a new worker", lambda: next(iter({*known()} - {*before}), None), every=0.02)
    future = client.submit(_fill, number, tally.address, workers=[address], allow_other_workers=False)
    wait([future])
    pod = known()[address]
    kubectl("delete", "pod", pod, "-n", namespace, "--wait=false")
    kubectl("scale", "-n", namespace, "daskcluster", "young", "--replicas=1")
    eventually(
        "the Pod to be gone", lambda: get(namespace, "pod", pod) is None, 20
    )  # not after its grace period
    return future


@pytest.mark.alone  # the node is everybody's
def test_a_drained_node_hands_100_results_over_to_another_group(namespace: str) -> None:
    """Evictions one at a time, as a node with a disruption budget has them: into a second group that stays."""
    apply(namespace, dask_cluster("node", 3), worker_group("node-safe", "node", 1))
    tally = start_tally(namespace)
    wait_connected(namespace, "node", 4)
    leaving = sorted(names(workers(namespace, "node-default")))
    node = str(workers(namespace, "node-default")[0]["spec"]["nodeName"])
    with dask_client(namespace, "node") as client:
        futures = [client.submit(_small, n, tally.address) for n in range(100)]
        wait(futures)
        try:
            for pod in leaving:
                _drain(namespace, node, pod)
        finally:
            kubectl("uncordon", node)
        assert [float(array[0]) for array in client.gather(futures)] == list(range(100))
        assert Counter(key for key, _ in tally.runs()) == {f"small-{n}": 1 for n in range(100)}
    wait_connected(namespace, "node", 4)
    assert not names(workers(namespace, "node-default", alive=False)) & set(leaving)


@on_workers
def _small(number: int, address: str) -> Any:
    note_run(address, f"small-{number}")
    return np.full(1000, number, dtype="float64")


def _drain(namespace: str, node: str, pod: str) -> None:
    """Drain one Pod off its node: cordon, evict, wait until it is gone."""
    kubectl("label", "pod", pod, "-n", namespace, f"drain={namespace}")
    kubectl(
        "drain",
        node,
        f"--pod-selector=drain={namespace}",
        "--delete-emptydir-data",
        "--force",
        "--timeout=90s",
    )
    assert get(namespace, "pod", pod) is None
