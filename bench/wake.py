"""Seconds from a submit to the first worker, of a cluster at zero with an autoscaler, against bare Pods made at once.

The bare Pods are as many, and connect to the same scheduler: what they take is the part of the node and of the image,
which depends on the machine. The rest is that of the autoscaler and the operator.
"""

import json
import logging
import random
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from dask_operator_client import KubeCluster
from distributed import Client, Future

from bench.cluster import Tree, apply, dask_image, kubectl, namespace, until

ROUNDS = 5
WORKERS = 4
TASKS = 40
TASK_SECONDS = 1.0
NAME = "wake"
GROUP = f"{NAME}-default"
SELECTOR = f"dask.org/workergroup-name={GROUP}"


def run() -> Iterator[str]:
    """Both in turn, several times."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "Mismatched versions found")
    image = dask_image()
    ours, bare, shares = [], [], []
    with namespace("bench-wake") as space:
        apply(space, _cluster(), _autoscaler())
        kubectl("wait", "-n", space, "--for=condition=Ready", f"daskcluster/{NAME}", "--timeout=120s")
        with KubeCluster.from_name(NAME, namespace=space, quiet=True) as cluster, Client(cluster) as client:
            for number in range(1, ROUNDS + 1):
                first, decided = _woken(client, space)
                direct = _direct(client, space, image)
                ours.append(first)
                bare.append(direct)
                shares.append(decided)
                yield (
                    f"round {number}: first worker after {first:.1f} s, its Pod was made after {decided:.1f} s; "
                    f"{WORKERS} bare Pods {direct:.1f} s; {first / direct:.2f} times as long"
                )
    more = median(mine - floor for mine, floor in zip(ours, bare, strict=True))
    yield f"median: {median(ours):.1f} s, at most {max(ours):.1f} s; Pods made after {median(shares):.1f} s"
    yield f"median of bare Pods: {median(bare):.1f} s; the autoscaler takes {more:+.1f} s compared with them"


def _woken(client: Client, space: str) -> tuple[float, float]:
    """Seconds to the first worker and to the first Pod; at zero again afterwards."""
    _suspend(space, False)
    with _watched(space) as sight:
        start = time.monotonic()
        futures: list[Future] = client.map(time.sleep, [TASK_SECONDS] * TASKS, pure=False)
        until("the first worker", lambda: _connected(client))
        first = time.monotonic() - start
    _suspend(space, True)
    client.cancel(futures, force=True)
    del futures
    kubectl("scale", "daskworkergroup", GROUP, "-n", space, "--replicas=0")
    until("no worker", lambda: not _connected(client) and not _pods(space))
    return first, sight.at - start


def _direct(client: Client, space: str, image: str) -> float:
    """Seconds to the first worker of Pods that are made directly, all in one call."""
    pods = [_pod(f"bare-{number}", image) for number in range(WORKERS)]
    start = time.monotonic()
    apply(space, *pods)
    until("the first worker", lambda: _connected(client))
    first = time.monotonic() - start
    until("all of them", lambda: _connected(client) == WORKERS)
    kubectl("delete", "pod", "-n", space, "-l", "bench=bare", "--grace-period=1")
    until("no worker", lambda: not _connected(client))
    return first


@dataclass
class _Sight:
    """When the first worker Pod was seen."""

    at: float = 0.0


@contextmanager
def _watched(space: str) -> Iterator[_Sight]:
    """Look out for a worker Pod: by one process that waits, since questions would take CPU from what is measured."""
    sight = _Sight()
    command = ["kubectl", "get", "pods", "-n", space, "-l", SELECTOR, "--watch", "--output=name"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:

        def look() -> None:
            assert watch.stdout is not None
            watch.stdout.readline()
            sight.at = time.monotonic()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            time.sleep(random.uniform(1.0, 2.0))  # at any moment between two looks of the autoscaler
            yield sight
        finally:
            watch.terminate()
            thread.join()


def _pods(space: str) -> str:
    return kubectl("get", "pods", "-n", space, "-l", SELECTOR, "--output=name").strip()


def _connected(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _suspend(space: str, suspend: bool) -> None:
    patch = json.dumps({"spec": {"suspend": suspend}})
    kubectl("patch", "daskautoscaler", NAME, "-n", space, "--type=merge", "-p", patch)


def _pod(name: str, image: str) -> Tree:
    args = ["dask", "worker", f"tcp://{NAME}-scheduler:8786"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"bench": "bare"}},
        "spec": {
            "containers": [{"name": "worker", "image": image, "args": args}],
            "restartPolicy": "OnFailure",
        },
    }


def _cluster() -> Tree:
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": NAME},
        "spec": {"worker": {"replicas": 0}},
    }


def _autoscaler() -> Tree:
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskAutoscaler",
        "metadata": {"name": NAME},
        "spec": {"cluster": NAME, "minimum": 0, "maximum": WORKERS, "suspend": True},
    }
