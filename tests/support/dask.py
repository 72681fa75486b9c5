"""Dask clusters on the test cluster."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dask_operator_client import KubeCluster
from distributed import Client

from .kubectl import ROOT, Tree, eventually, get, list_objects

GROUP = "kubernetes.dask.org"

F = TypeVar("F", bound=Callable[..., Any])


def on_workers(function: F) -> F:
    """Mark a function that runs on workers: they cannot import its module, so it is sent as it is."""
    function.__module__ = "__main__"
    return function


def dask_cluster(name: str, replicas: int = 1, **spec: Any) -> Tree:
    """A DaskCluster in its short form; ``worker`` and ``scheduler`` add to it."""
    worker = {"replicas": replicas, **spec.pop("worker", {})}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name, **spec.pop("metadata", {})},
        "spec": {"worker": worker, **spec},
    }


def scheduler_spelt_out(cluster: str, container: Tree, **pod: Any) -> Tree:
    """The scheduler of a DaskCluster with all that the operator of dask-kubernetes needs; ``pod`` adds to its Pod."""
    ports = [
        {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
        {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
    ]
    selector = {"dask.org/cluster-name": cluster, "dask.org/component": "scheduler"}
    services = [{"name": p["name"], "port": p["containerPort"], "targetPort": p["name"]} for p in ports]
    return {
        "spec": {**pod, "containers": [{**container, "ports": ports}]},
        "service": {"type": "ClusterIP", "selector": selector, "ports": services},
    }


def worker_group(name: str, cluster: str, replicas: int = 1, **worker: Any) -> Tree:
    """A DaskWorkerGroup in its short form."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "DaskWorkerGroup",
        "metadata": {"name": name},
        "spec": {"cluster": cluster, "worker": {"replicas": replicas, **worker}},
    }


def bare_worker(name: str, cluster: str) -> Tree:
    """A worker of a cluster in a Pod that nobody looks after, with the image that the operator uses by default."""
    image = (ROOT / "build" / "image-dask").read_text().strip()
    args = ["dask", "worker", f"tcp://{cluster}-scheduler:8786"]
    container = {"name": "worker", "image": image, "args": args}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "restartPolicy": "OnFailure"},
    }


def fake_worker_pods() -> Tree:
    """A worker template for fake nodes: Ready at once, running nothing."""
    return {
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
    }


def workers(namespace: str, group: str, alive: bool = True) -> list[Tree]:
    """The worker Pods of a group; the ``alive`` ones are those that are not on their way out."""
    pods = list_objects(namespace, "pods", f"dask.org/workergroup-name={group}")
    return [pod for pod in pods if not (alive and pod["metadata"].get("deletionTimestamp"))]


def names(objects: list[Tree]) -> set[str]:
    """Their names."""
    return {item["metadata"]["name"] for item in objects}


def condition(item: Tree | None, kind: str) -> Tree:
    """One condition of an object; empty if it has none."""
    held = (item or {}).get("status", {}).get("conditions", [])
    return next((entry for entry in held if entry["type"] == kind), {})


def wait_connected(namespace: str, cluster: str, workers_wanted: int, seconds: float = 90) -> Tree:
    """The DaskCluster, once that many workers of it are wanted, Ready and connected, and no other is left."""

    def connected() -> Tree | None:
        item = get(namespace, "daskcluster", cluster)
        held = (item or {}).get("status", {}).get("workers", {})
        numbers = [held.get(key) for key in ("desired", "ready", "connected")]
        return item if numbers == [workers_wanted] * 3 else None

    return eventually(f"{workers_wanted} workers of {cluster} connected", connected, seconds)


@contextmanager
def dask_client(namespace: str, cluster: str, much_data: bool = False) -> Iterator[Client]:
    """A client of a cluster, as a user outside Kubernetes has it.

    With ``much_data`` it connects straight to the scheduler's Pod where this machine can reach it, since
    hundreds of megabytes through a port-forward would be most of a test's time.
    """
    address = (get(namespace, "pod", f"{cluster}-scheduler") or {}).get("status", {}).get("podIP", "")
    if much_data and _reachable(address, 8786):
        with Client(f"tcp://{address}:8786") as client:
            yield client
        return
    with KubeCluster.from_name(cluster, namespace=namespace, quiet=True) as handle, Client(handle) as client:
        yield client


def _reachable(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def events(namespace: str, name: str) -> list[Tree]:
    """The Events about the object of that name."""
    return [item for item in list_objects(namespace, "events") if item["involvedObject"]["name"] == name]


def wait_told(namespace: str, name: str, reason: str, seconds: float = 10) -> str:
    """The message of an Event with that reason about the object of that name: they are written in the background."""

    def message() -> str:
        return next((item["message"] for item in events(namespace, name) if item["reason"] == reason), "")

    return eventually(f"an Event {reason} about {name}", message, seconds)


def event_reasons(namespace: str, name: str) -> set[str]:
    """Their reasons."""
    return {item["reason"] for item in events(namespace, name)}
