"""The custom resources that keywords stand for, and how an existing one compares. Pure."""

import getpass
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dask_operator_api import labels, names
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client import validation

_RANDOM_BYTES = 5


@dataclass(frozen=True)
class WorkerKeywords:
    """What the keywords of a cluster or a worker group say; None is "not said", and is not sent."""

    n_workers: int | None = None
    image: str | None = None
    resources: Manifest | None = None
    env: tuple[Manifest, ...] | None = None
    worker_command: tuple[str, ...] | None = None

    @classmethod
    def checked(
        cls,
        n_workers: Any = None,
        image: Any = None,
        resources: Any = None,
        env: Any = None,
        worker_command: Any = None,
    ) -> "WorkerKeywords":
        """Judge the keywords as a user gives them.

        Raises:
            TypeError, ValueError: one is not right; the message names it and says how it should be.
        """
        check = validation
        return cls(
            n_workers=None if n_workers is None else check.checked_count("n_workers", n_workers),
            image=None if image is None else check.checked_text("image", image),
            resources=None if resources is None else check.checked_resources(resources),
            env=None if env is None else tuple(check.checked_env(env)),
            worker_command=None if worker_command is None else tuple(check.checked_command(worker_command)),
        )


def cluster_manifest(name: str, namespace: str, keywords: WorkerKeywords) -> Manifest:
    """The DaskCluster for the keywords, in its shortest form.

    >>> cluster_manifest("c", "default", WorkerKeywords(n_workers=3))["spec"]
    {'worker': {'replicas': 3}}
    """
    spec: Manifest = {}
    if keywords.image is not None:
        spec["image"] = keywords.image
    if keywords.env:
        spec["scheduler"] = {"env": [dict(variable) for variable in keywords.env]}
    worker = _worker(keywords)
    if worker:
        spec["worker"] = worker
    return _object(Kind.CLUSTER, name, namespace, spec)


def group_manifest(cluster: str, group: str, namespace: str, keywords: WorkerKeywords) -> Manifest:
    """The DaskWorkerGroup with the full name ``group`` for the keywords.

    >>> group_manifest("c", "c-big", "default", WorkerKeywords(n_workers=2, image="dask:1"))["spec"]
    {'cluster': 'c', 'worker': {'replicas': 2, 'image': 'dask:1'}}
    """
    worker = _worker(keywords)
    if keywords.image is not None:
        worker["image"] = keywords.image
    return _object(Kind.WORKER_GROUP, group, namespace, {"cluster": cluster, "worker": worker})


def differences(keywords: WorkerKeywords, existing: Manifest) -> dict[str, tuple[Any, Any]]:
    """The keywords that an existing DaskCluster does not match: what was asked, and what the cluster has.

    A value may stand in the cluster's short form or in its worker's container. The number of workers is the
    one that the cluster was described with: scaling its groups is no difference.
    """
    spec = section(existing, "spec")
    worker = section(spec, "worker")
    container = _container(worker)
    found: dict[str, Any] = {
        "n_workers": worker.get("replicas"),
        "image": container.get("image") or worker.get("image") or spec.get("image"),
        "resources": _as_text(section(container, "resources") or section(worker, "resources")),
        "env": _by_name([*items(worker, "env"), *items(container, "env")]),
        "worker_command": [*_words(container, "command"), *_words(container, "args")] or None,
    }
    asked: dict[str, Any] = {
        "n_workers": keywords.n_workers,
        "image": keywords.image,
        "resources": keywords.resources,
        "env": None if keywords.env is None else _by_name(keywords.env),
        "worker_command": None if keywords.worker_command is None else list(keywords.worker_command),
    }
    return {
        key: (value, found[key]) for key, value in asked.items() if value is not None and value != found[key]
    }


def generated_name(user: str | None = None) -> str:
    """A new name for a cluster of ``user``, by default the one who runs this: ``dask-<user>-<random>``."""
    random = secrets.token_hex(_RANDOM_BYTES)
    room = names.CLUSTER_NAME_MAX - len(f"dask--{random}")
    owner = re.sub(r"[^a-z0-9]+", "-", (_user() if user is None else user).lower())[:room].strip("-")
    return f"dask-{owner}-{random}" if owner else f"dask-{random}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user: usual in a Pod that runs under any uid
        return ""


def _object(kind: Kind, name: str, namespace: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _worker(keywords: WorkerKeywords) -> Manifest:
    worker: Manifest = {}
    if keywords.n_workers is not None:
        worker["replicas"] = keywords.n_workers
    if keywords.resources:
        worker["resources"] = {
            key: list(part) if key == "claims" else dict(part) for key, part in keywords.resources.items()
        }
    if keywords.env:
        worker["env"] = [dict(variable) for variable in keywords.env]
    if keywords.worker_command is not None:
        worker["spec"] = {"containers": [{"name": labels.WORKER, "args": list(keywords.worker_command)}]}
    return worker


def _container(worker: Manifest) -> Manifest:
    containers = items(worker, "spec", "containers")
    named = [container for container in containers if container.get("name") == labels.WORKER]
    return (named or containers or [{}])[0]


def _words(container: Manifest, key: str) -> list[str]:
    return [str(word) for word in container.get(key) or ()]


def _as_text(resources: Manifest) -> Manifest:
    """The resources with every quantity as a string: YAML has 1 where keywords have "1"."""
    return {
        key: {name: str(amount) for name, amount in part.items()} if isinstance(part, Mapping) else part
        for key, part in resources.items()
    }


def _by_name(variables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {str(v["name"]): v.get("valueFrom") or v.get("value") or "" for v in variables}
