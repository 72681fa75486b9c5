"""Whole specs to start from: every field of the Pods written out, to be edited and given as ``custom_cluster_spec``."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from dask_operator_api import commands, labels
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest

from dask_operator_client import validation

Env = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_PORTS = {"tcp-comm": 8786, "http-dashboard": 8787}
_HEALTH = {"httpGet": {"port": "http-dashboard", "path": "/health"}}


def make_cluster_spec(
    name: str,
    image: str | None = None,
    n_workers: int | None = None,
    resources: Mapping[str, Any] | None = None,
    env: Env | None = None,
    worker_command: str | Sequence[str] = commands.WORKER,
    scheduler_service_type: str = "ClusterIP",
    idle_timeout: int = 0,
    jupyter: bool = False,
) -> Manifest:
    """A whole DaskCluster with its Pods and its Service written out.

    The keywords are those of :class:`~dask_operator_client.KubeCluster`; ``resources`` are the workers'.

    Raises:
        TypeError, ValueError: a keyword is not right; the message names it.

    Example:
        >>> spec = make_cluster_spec(name="my-cluster", n_workers=3, env={"FOO": "bar"})
        >>> spec["spec"]["worker"]["spec"]["nodeSelector"] = {"disk": "fast"}
        >>> spec["spec"]["worker"]["spec"]["containers"][0]["args"]
        ['dask', 'worker', '--name', '$(DASK_WORKER_NAME)']
    """
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.CLUSTER.value,
        "metadata": {"name": validation.checked_name("name", name)},
        "spec": {
            "idleTimeout": validation.checked_count("idle_timeout", idle_timeout),
            "scheduler": make_scheduler_spec(
                name, env=env, image=image, scheduler_service_type=scheduler_service_type, jupyter=jupyter
            ),
            "worker": make_worker_spec(
                image=image, n_workers=n_workers, resources=resources, env=env, worker_command=worker_command
            ),
        },
    }


def make_worker_spec(
    image: str | None = None,
    n_workers: int | None = None,
    resources: Mapping[str, Any] | None = None,
    env: Env | None = None,
    worker_command: str | Sequence[str] = commands.WORKER,
) -> Manifest:
    """The ``worker`` of a DaskCluster or DaskWorkerGroup with its Pod written out.

    Raises:
        TypeError, ValueError: a keyword is not right; the message names it.

    Example:
        >>> make_worker_spec(n_workers=2)["replicas"]
        2
    """
    count = None if n_workers is None else validation.checked_count("n_workers", n_workers)
    container = {
        "name": labels.WORKER,
        **_image(image),
        "args": validation.checked_command(worker_command),
        "env": validation.checked_env(env or {}),
        "resources": validation.checked_resources("resources", resources or {}),
    }
    return {**({} if count is None else {"replicas": count}), "spec": {"containers": [container]}}


def make_scheduler_spec(
    cluster_name: str,
    env: Env | None = None,
    resources: Mapping[str, Any] | None = None,
    image: str | None = None,
    scheduler_service_type: str = "ClusterIP",
    jupyter: bool = False,
) -> Manifest:
    """The ``scheduler`` of a DaskCluster with its Pod and its Service written out. ``resources`` are its own.

    Raises:
        TypeError, ValueError: a keyword is not right; the message names it.

    Example:
        >>> make_scheduler_spec("my-cluster")["service"]["type"]
        'ClusterIP'
    """
    flag = [commands.JUPYTER_FLAG] if validation.checked_flag("jupyter", jupyter) else []
    container = {
        "name": labels.SCHEDULER,
        **_image(image),
        "args": [*commands.SCHEDULER, *flag],
        "env": validation.checked_env(env or {}),
        "resources": validation.checked_resources("resources", resources or {}),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in _PORTS.items()],
        "readinessProbe": {**copy.deepcopy(_HEALTH), "periodSeconds": 1, "timeoutSeconds": 5},
        "livenessProbe": {**copy.deepcopy(_HEALTH), "initialDelaySeconds": 15, "periodSeconds": 20},
    }
    service = {
        "type": validation.checked_service_type("scheduler_service_type", scheduler_service_type),
        "selector": {
            labels.CLUSTER_NAME: validation.checked_name("cluster_name", cluster_name),
            labels.COMPONENT: labels.SCHEDULER,
        },
        "ports": [
            {"name": name, "protocol": "TCP", "port": port, "targetPort": name}
            for name, port in _PORTS.items()
        ],
    }
    return {"spec": {"containers": [container]}, "service": service}


def _image(image: str | None) -> Manifest:
    return {} if image is None else {"image": validation.checked_text("image", image)}
