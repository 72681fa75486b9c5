"""The operator is killed at seeded moments of a cluster's life: only the time that it takes changes."""

import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from distributed import wait

from tests.support.dask import (
    dask_client,
    dask_cluster,
    names,
    on_workers,
    wait_connected,
    worker_group,
    workers,
)
from tests.support.kubectl import apply, eventually, get, kubectl, list_objects
from tests.support.operator_process import OperatorProcess, operator_process
from tests.support.tally import Tally, note_run, start_tally

SEED = 20261122

pytestmark = pytest.mark.alone


class Killer(threading.Thread):
    """Kills the operator again and again, and starts it anew each time."""

    def __init__(self, operator: OperatorProcess, kills: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self._operator = operator
        self._kills = kills
        self._random = random.Random(seed)
        self._enough = threading.Event()

    def run(self) -> None:
        while self.done < self._kills and not self._enough.wait(self._random.uniform(0.5, 3.0)):
            self._operator.kill()
            self._operator.start()
            self.done += 1

    def stop(self) -> None:
        """Kill no more."""
        self._enough.set()
        self.join(30)


@on_workers
def _result(number: int, address: str) -> Any:
    import numpy as np

    note_run(address, f"result-{number}")
    return np.full(1000, number, dtype="float64")


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_of_the_operator_change_only_how_long_it_takes(
    namespace: str, tmp_path: Path, kills: int
) -> None:
    tally = start_tally(namespace)
    with operator_process(tmp_path) as operator:
        killer = Killer(operator, kills, SEED)
        killer.start()
        rounds = 0
        try:
            while killer.done < kills or rounds == 0:
                _life(namespace, tally, rounds)
                rounds += 1
        finally:
            killer.stop()
    assert killer.done >= kills
    runs = Counter(key for key, _ in tally.runs())
    assert runs == {f"result-{number}": 1 for number in range(40 * rounds)}


def _life(namespace: str, tally: Tally, number: int) -> None:
    """Create, compute, grow, shrink, delete; the right number of everything at each step."""
    apply(namespace, dask_cluster("life", 2), worker_group("life-more", "life", 1))
    wait_connected(namespace, "life", 3, 120)
    with dask_client(namespace, "life") as client:
        keys = range(40 * number, 40 * (number + 1))
        kubectl("scale", "-n", namespace, "daskcluster", "life", "--replicas=4")
        wait_connected(namespace, "life", 5, 120)
        futures = [client.submit(_result, key, tally.address) for key in keys]
        wait(futures)
        kubectl("scale", "-n", namespace, "daskworkergroup", "life-default", "--replicas=1")
        wait_connected(namespace, "life", 2, 120)
        _exactly(namespace, 1)
        assert [float(client.gather(future)[0]) for future in futures] == [float(key) for key in keys]
    kubectl("delete", "daskcluster", "life", "-n", namespace)
    eventually("nothing to be left", lambda: not _left(namespace), 90)


def _exactly(namespace: str, default: int) -> None:
    """No Pod, Service or group too many or too few, whatever state it is in."""

    def counts() -> bool:
        return len(workers(namespace, "life-default", alive=False)) == default

    eventually(f"{default} Pods in the default group", counts, 60)
    assert len(workers(namespace, "life-more", alive=False)) == 1
    assert names(list_objects(namespace, "daskworkergroups")) == {"life-default", "life-more"}
    assert names(list_objects(namespace, "services")) == {"life-scheduler"}
    assert get(namespace, "pod", "life-scheduler") is not None


def _left(namespace: str) -> set[str]:
    kinds = ("pods", "services", "daskworkergroups", "daskclusters")
    return {name for kind in kinds for name in names(list_objects(namespace, kind))} - {"tally"}
