"""Seconds from nothing to the first result: a KubeCluster of 2 workers against bare Pods."""

import logging
import time
import warnings
from collections.abc import Iterator
from statistics import median
from typing import Any

from dask_operator_client import KubeCluster, session  # noqa: F401 - imported before the clock starts
from distributed import Client

from bench.cluster import apply, dask_image, kubectl, namespace, until

ROUNDS = 5
WORKERS = 2


def run() -> Iterator[str]:
    """Both, one after the other, several times; the median of the differences counts."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "Mismatched versions found")
    image = dask_image()
    differences = []
    for number in range(1, ROUNDS + 1):
        bare, ours = _bare(image), _ours()
        differences.append(ours - bare)
        yield f"round {number}: bare Pods {bare:.1f} s, KubeCluster {ours:.1f} s, {ours / bare:.2f} times as long"
    yield f"median: KubeCluster takes {median(differences):+.1f} s compared with bare Pods"


def _ours() -> float:
    with namespace("bench-ours") as space:
        start = time.monotonic()
        cluster = KubeCluster(name="first", n_workers=WORKERS, namespace=space, quiet=True)
        with cluster, Client(cluster) as client:
            assert client.submit(sum, [1, 2]).result(timeout=120) == 3
            return time.monotonic() - start


def _bare(image: str) -> float:
    with namespace("bench-bare") as space:
        start = time.monotonic()
        address = "tcp://first:8786"
        workers = [_pod(f"worker-{n}", image, ["dask", "worker", address]) for n in range(WORKERS)]
        scheduler = _pod("first", image, ["dask", "scheduler"])
        apply(space, _service(), scheduler, *workers)
        path = "jsonpath={.status.podIP}"
        host = until("an address", lambda: kubectl("get", "pod", "first", "-n", space, "-o", path))
        with until("the scheduler to answer", lambda: _connect(host)) as client:
            assert client.submit(sum, [1, 2]).result(timeout=120) == 3
            return time.monotonic() - start


def _connect(host: str) -> Any:
    try:
        return Client(f"tcp://{host}:8786", timeout=2)
    except OSError:
        return None


def _pod(name: str, image: str, args: list[str]) -> dict[str, object]:
    container = {"name": "dask", "image": image, "args": args}
    spec = {"containers": [container], "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"pod": name}},
        "spec": spec,
    }


def _service() -> dict[str, object]:
    ports = [{"name": "comm", "port": 8786}]
    spec = {"selector": {"pod": "first"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "first"}, "spec": spec}
