"""DaskJobs on the test cluster."""

from typing import Any

from .dask import GROUP, condition, fake_worker_pods, names
from .kubectl import Tree, eventually, get, list_objects

IMAGE = "localhost/dask:dev"


def dask_job(name: str, program: str, **spec: Any) -> Tree:
    """A DaskJob that runs a shell program; its scheduler and its worker are on fake nodes unless ``real``."""
    pod = {
        "terminationGracePeriodSeconds": 3,
        "containers": [{"name": "program", "image": IMAGE, "command": ["sh", "-c", program]}],
        **spec.pop("pod", {}),
    }
    fake = {} if spec.pop("real", False) else {"spec": fake_worker_pods()}
    cluster = {"scheduler": fake, "worker": {"replicas": 1, **fake}, **spec.pop("cluster", {})}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "DaskJob",
        "metadata": {"name": name, **spec.pop("metadata", {})},
        "spec": {"job": {"spec": pod}, "cluster": {"spec": cluster}, **spec},
    }


def job(namespace: str, name: str) -> Tree:
    """The job as it is."""
    return get(namespace, "daskjob", name) or {}


def outcomes(item: Tree) -> list[str]:
    """How the attempts of a job ended; empty for one that goes on."""
    return [attempt.get("outcome", "") for attempt in item.get("status", {}).get("attempts", [])]


def ended(namespace: str, name: str, kind: str, reason: str, seconds: float = 60) -> Tree:
    """The job, once it has that terminal condition with that reason."""

    def found() -> Tree | None:
        item = job(namespace, name)
        held = condition(item, kind)
        return item if (held.get("status"), held.get("reason")) == ("True", reason) else None

    return eventually(f"{name} to be {kind} with {reason}", found, seconds)


def not_yet(namespace: str, name: str, reason: str, seconds: float = 60) -> Tree:
    """The job, once that is the reason for which it is not Complete."""

    def found() -> Tree | None:
        item = job(namespace, name)
        return item if condition(item, "Complete").get("reason") == reason else None

    return eventually(f"{name} to say {reason}", found, seconds)


def left(namespace: str) -> set[str]:
    """The names of all objects that jobs and clusters are made of, the jobs themselves aside."""
    kinds = ("pods", "services", "daskworkergroups", "daskclusters", "daskautoscalers")
    return {name for kind in kinds for name in names(list_objects(namespace, kind))}


def only_left(namespace: str, *wanted: str, seconds: float = 60) -> None:
    """Wait until nothing but these objects is there."""
    eventually(f"only {wanted} to be left", lambda: left(namespace) == set(wanted), seconds)
