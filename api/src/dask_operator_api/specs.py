"""What a user writes into a DaskCluster or DaskWorkerGroup, as frozen values.

The defaults here repeat those of the CRDs for objects that were stored before the CRD had them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dask_operator_api.manifests import Manifest, items, section, without_nulls

DEFAULT_REPLICAS = 1
DEFAULT_DRAIN_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Metadata:
    """Labels and annotations."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: Mapping[str, Any] | None) -> "Metadata":
        """Read a ``metadata`` mapping; missing parts are empty."""
        return cls(labels=section(body, "labels"), annotations=section(body, "annotations"))


@dataclass(frozen=True)
class SchedulerSpec:
    """``spec.scheduler`` of a DaskCluster."""

    metadata: Metadata = field(default_factory=Metadata)
    pod: Manifest = field(default_factory=dict)
    service: Manifest = field(default_factory=dict)
    resources: Manifest = field(default_factory=dict)
    env: tuple[Manifest, ...] = ()
    disruption_budget: bool | None = None
    """Whether a PodDisruptionBudget keeps it from being evicted; None: as the install has it."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "SchedulerSpec":
        """Read ``spec.scheduler``."""
        return cls(
            metadata=Metadata.parse(section(body, "metadata")),
            pod=without_nulls(section(body, "spec")),
            service=without_nulls(section(body, "service")),
            resources=without_nulls(section(body, "resources")),
            env=tuple(items(body, "env")),
            disruption_budget=body.get("disruptionBudget"),
        )


@dataclass(frozen=True)
class WorkerSpec:
    """``spec.worker`` of a DaskCluster or DaskWorkerGroup."""

    replicas: int = DEFAULT_REPLICAS
    metadata: Metadata = field(default_factory=Metadata)
    pod: Manifest = field(default_factory=dict)
    image: str | None = None
    resources: Manifest = field(default_factory=dict)
    env: tuple[Manifest, ...] = ()
    drain_timeout: float = DEFAULT_DRAIN_TIMEOUT_SECONDS
    """Seconds after which running workers go although nothing can save their results; 0: at once."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "WorkerSpec":
        """Read ``spec.worker``."""
        return cls(
            replicas=int(_given(body, "replicas", DEFAULT_REPLICAS)),
            metadata=Metadata.parse(section(body, "metadata")),
            pod=without_nulls(section(body, "spec")),
            image=body.get("image") or None,
            resources=without_nulls(section(body, "resources")),
            env=tuple(items(body, "env")),
            drain_timeout=float(_given(body, "drainTimeoutSeconds", DEFAULT_DRAIN_TIMEOUT_SECONDS)),
        )


@dataclass(frozen=True)
class GroupInSpec:
    """An item of ``spec.workerGroups`` of a DaskCluster."""

    name: str
    """Within its cluster: the DaskWorkerGroup is called ``<cluster>-<name>``."""
    worker: WorkerSpec
    written: Manifest
    """``worker`` as it was written."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "GroupInSpec":
        """Read an item."""
        worker = section(body, "worker")
        return cls(str(body.get("name") or ""), WorkerSpec.parse(worker), worker)


@dataclass(frozen=True)
class ClusterSpec:
    """``spec`` of a DaskCluster."""

    image: str | None = None
    idle_timeout: float = 0.0
    """Seconds without work after which the scheduler ends, and the cluster with it; 0: never."""
    scheduler: SchedulerSpec = field(default_factory=SchedulerSpec)
    worker: WorkerSpec = field(default_factory=WorkerSpec)
    groups: tuple[GroupInSpec, ...] = ()
    """Worker groups beside the default one."""
    autoscaler: Manifest = field(default_factory=dict)
    """``spec`` of its DaskAutoscaler, ``cluster`` aside; empty where it has none."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "ClusterSpec":
        """Read a DaskCluster's ``spec``."""
        return cls(
            image=body.get("image") or None,
            idle_timeout=float(_given(body, "idleTimeout", 0)),
            scheduler=SchedulerSpec.parse(section(body, "scheduler")),
            worker=WorkerSpec.parse(section(body, "worker")),
            groups=tuple(GroupInSpec.parse(item) for item in items(body, "workerGroups")),
            autoscaler=without_nulls(section(body, "autoscaler")),
        )


@dataclass(frozen=True)
class WorkerGroupSpec:
    """``spec`` of a DaskWorkerGroup."""

    cluster: str
    worker: WorkerSpec = field(default_factory=WorkerSpec)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "WorkerGroupSpec":
        """Read a DaskWorkerGroup's ``spec``."""
        return cls(cluster=str(body.get("cluster") or ""), worker=WorkerSpec.parse(section(body, "worker")))


def _given(body: Mapping[str, Any], key: str, default: int) -> int:
    value = body.get(key)
    return default if value is None else value
