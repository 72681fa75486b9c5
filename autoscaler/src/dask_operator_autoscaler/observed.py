"""Views of the custom resources: what the autoscaler has to know of each, and no more."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dask_operator_api import labels
from dask_operator_api.autoscaling import AutoscalerSpec
from dask_operator_api.conditions import ConditionType, Reason
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.specs import WorkerSpec

FIELD_MANAGER = "dask-operator-autoscaler"
"""Who the API server notes as the writer of what the autoscaler writes."""

_UNPLACEABLE = {
    Reason.UNSCHEDULABLE.value: Reason.UNSCHEDULABLE,
    Reason.QUOTA_EXCEEDED.value: Reason.QUOTA_EXCEEDED,
}
_RESOURCE_VARIABLE = "DASK_DISTRIBUTED__WORKER__RESOURCES"
_NUMBER = re.compile("[0-9]{1,6}")
"""What ``str.isdigit`` takes for digits, ``int`` cannot always read; and no machine has more threads."""


@dataclass(frozen=True)
class Cluster:
    """A DaskCluster."""

    namespace: str
    name: str
    uid: str
    base: str
    """``http://host:port`` of its scheduler; empty where the operator has not said yet."""
    ready: bool
    """Whether its scheduler is Ready."""

    @property
    def home(self) -> str:
        """The cluster it belongs to: itself."""
        return self.name


@dataclass(frozen=True)
class Group:
    """A DaskWorkerGroup."""

    namespace: str
    name: str
    uid: str
    version: str
    """Its resourceVersion."""
    cluster: str
    replicas: int
    set_by_us: bool
    """Whether an autoscaler of ours has written that number last."""
    connected: int
    """Workers that the scheduler knows, as the operator last saw it."""
    unplaceable: Reason | None
    """Why workers of it cannot be placed, if so."""
    trouble: str
    """The same in Kubernetes' own words."""
    threads: int
    """Threads of one of its Pods, as far as its template tells."""
    special: bool
    """Whether its workers offer resources (``--resources``)."""

    @property
    def home(self) -> str:
        """The cluster it belongs to."""
        return self.cluster


@dataclass(frozen=True)
class Autoscaler:
    """A DaskAutoscaler."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    """RFC 3339: compares as text."""
    deleting: bool
    spec: AutoscalerSpec | None
    """None: it cannot be read."""
    problem: str
    """Why it cannot be read."""
    status: Manifest

    @property
    def home(self) -> str:
        """The cluster it is for; empty where that cannot be read."""
        return self.spec.cluster if self.spec is not None else ""


def cluster(body: Manifest) -> Cluster:
    """Read a DaskCluster."""
    address = urlsplit(str(section(body, "status").get("dashboardAddress") or ""))
    base = f"{address.scheme}://{address.netloc}" if address.netloc else ""
    ready = _condition(body, ConditionType.READY).get("status") == "True"
    return Cluster(**_meta(body), base=base, ready=ready)


def group(body: Manifest) -> Group:
    """Read a DaskWorkerGroup."""
    worker = WorkerSpec.parse(section(body, "spec", "worker"))
    ready = _condition(body, ConditionType.READY)
    args, env = _command(worker), _env(worker)
    return Group(
        **_meta(body),
        version=str(section(body, "metadata").get("resourceVersion") or ""),
        cluster=str(section(body, "spec").get("cluster") or ""),
        replicas=worker.replicas,
        set_by_us=_set_by_us(body),
        connected=int(section(body, "status", "workers").get("connected") or 0),
        unplaceable=_UNPLACEABLE.get(str(ready.get("reason"))) if ready.get("status") == "False" else None,
        trouble=str(ready.get("message") or ""),
        threads=_threads(worker, args),
        special="--resources" in args or any(name.startswith(_RESOURCE_VARIABLE) for name in env),
    )


def autoscaler(body: Manifest) -> Autoscaler:
    """Read a DaskAutoscaler."""
    spec, problem = None, ""
    try:
        spec = AutoscalerSpec.parse(section(body, "spec"))
    except (TypeError, ValueError) as error:
        problem = str(error)
    metadata = section(body, "metadata")
    return Autoscaler(
        **_meta(body),
        generation=int(metadata.get("generation") or 0),
        created=str(metadata.get("creationTimestamp") or ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        spec=spec,
        problem=problem,
        status=section(body, "status"),
    )


def _meta(body: Manifest) -> dict[str, Any]:
    metadata = section(body, "metadata")
    return {key: str(metadata.get(key) or "") for key in ("namespace", "name", "uid")}


def _set_by_us(body: Manifest) -> bool:
    ours = (item for item in items(body, "metadata", "managedFields") if item.get("manager") == FIELD_MANAGER)
    return any("f:replicas" in section(item, "fieldsV1", "f:spec", "f:worker") for item in ours)


def _condition(body: Manifest, kind: ConditionType) -> Mapping[str, Any]:
    held = items(body, "status", "conditions")
    return next((item for item in held if item.get("type") == kind.value), {})


def _container(worker: WorkerSpec) -> Manifest:
    containers = items(worker.pod, "containers")
    named = (item for item in containers if item.get("name") == labels.WORKER)
    return next(named, containers[0] if containers else {})


def _command(worker: WorkerSpec) -> list[str]:
    """The words of the worker's command line, ``--option=value`` in two."""
    container = _container(worker)
    words = [word for key in ("command", "args") for word in _list(container.get(key))]
    return [part for word in words for part in re.split(r"[=\s]+", str(word), maxsplit=1)]


def _list(value: Any) -> list[Any]:
    """A list of a template, which nobody has checked; empty where it is something else."""
    return value if isinstance(value, list) else []


def _env(worker: WorkerSpec) -> Iterable[str]:
    variables = (*items(_container(worker), "env"), *worker.env)
    return [str(variable.get("name") or "") for variable in variables]


def _threads(worker: WorkerSpec, args: list[str]) -> int:
    """What ``dask worker`` makes of its options and its CPU limit; 1 where neither says."""
    processes = _option(args, "--nworkers") or _option(args, "--nprocs") or 1
    threads = _option(args, "--nthreads")
    if threads:
        return processes * threads
    limits = section(_container(worker), "resources", "limits") or section(worker.resources, "limits")
    return max(processes, math.ceil(_cpus(str(limits.get("cpu") or "1"))))


def _option(args: list[str], option: str) -> int:
    following = args[args.index(option) + 1 :] if option in args else []
    return int(following[0]) if following and _NUMBER.fullmatch(following[0]) else 0


def _cpus(quantity: str) -> float:
    """The CPUs of a quantity; 1 where it is none."""
    try:
        cpus = float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
    except ValueError:
        return 1.0
    return cpus if math.isfinite(cpus) else 1.0
