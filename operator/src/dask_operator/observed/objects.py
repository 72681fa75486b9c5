"""Views of custom resources and Services."""

from dataclasses import dataclass
from sys import intern

from dask_operator_api import labels
from dask_operator_api.jobs import JobSpec
from dask_operator_api.manifests import Manifest, items, section, without_nulls
from dask_operator_api.specs import ClusterSpec, Metadata, WorkerGroupSpec


@dataclass(frozen=True, slots=True)
class ObjectView:
    """What every object has."""

    namespace: str
    name: str
    uid: str
    version: int
    """``metadata.resourceVersion``: grows with every write. 0 where it is not a number."""
    owner: str
    """The uid of the controlling owner; empty where there is none."""
    owner_kind: str
    deleting: bool

    @property
    def identity(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class ServiceView(ObjectView):
    """A Service of a scheduler."""

    cluster: str
    digest: str
    handed_down: str
    """What was handed down to it, as stamped on it."""


@dataclass(frozen=True, slots=True)
class DeploymentView(ObjectView):
    """A Deployment that another operator has made for a scheduler or a worker."""

    component: str


@dataclass(frozen=True, slots=True)
class BudgetView(ObjectView):
    """A PodDisruptionBudget of a scheduler."""

    cluster: str


@dataclass(frozen=True, slots=True)
class ClusterView(ObjectView):
    """A DaskCluster."""

    generation: int
    metadata: Metadata
    spec: ClusterSpec
    worker: Manifest
    """``spec.worker`` as it was written."""
    status: Manifest
    written: Manifest
    """``spec`` as it was written."""

    @property
    def attempt(self) -> int:
        """The number of the attempt that it was made for by a job; 1 where it does not say."""
        return attempt_of(self.metadata)


@dataclass(frozen=True, slots=True)
class JobView(ObjectView):
    """A DaskJob."""

    generation: int
    metadata: Metadata
    spec: JobSpec
    templates: Manifest
    """``spec.job`` and ``spec.cluster`` as they were written, but for nulls, which mean nothing."""
    status: Manifest


@dataclass(frozen=True, slots=True)
class AutoscalerView(ObjectView):
    """A DaskAutoscaler."""

    metadata: Metadata
    spec: Manifest
    """As it was written."""
    owner_references: tuple[Manifest, ...] = ()
    generation: int = 0
    conditions: tuple[Manifest, ...] = ()

    @property
    def cluster(self) -> str:
        """The name of the cluster that it scales."""
        return str(self.spec.get("cluster") or "")


@dataclass(frozen=True, slots=True)
class GroupView(ObjectView):
    """A DaskWorkerGroup."""

    generation: int
    metadata: Metadata
    spec: WorkerGroupSpec
    worker: Manifest
    """``spec.worker`` as it was written."""
    owner_references: tuple[Manifest, ...]
    status: Manifest

    @property
    def family(self) -> tuple[str, str]:
        """What the groups of one cluster have in common: its namespace and name."""
        return (self.namespace, self.spec.cluster)

    @property
    def copied_replicas(self) -> int | None:
        """The cluster's number of workers that was last copied into this group; None for other groups."""
        text = self.metadata.annotations.get(labels.COPIED_REPLICAS, "")
        return int(text) if text.isdigit() else None


def base_fields(body: Manifest) -> dict[str, object]:
    """The fields of :class:`ObjectView`, read from an object. What thousands have in common is held once."""
    meta = body["metadata"]
    owner = next((ref for ref in items(meta, "ownerReferences") if ref.get("controller")), {})
    version = str(meta.get("resourceVersion", ""))
    return {
        "namespace": intern(meta.get("namespace", "")),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "version": int(version) if version.isdigit() else 0,
        "owner": intern(owner.get("uid", "")),
        "owner_kind": intern(owner.get("kind", "")),
        "deleting": bool(meta.get("deletionTimestamp")),
    }


def service_view(body: Manifest) -> ServiceView:
    """Read a Service."""
    meta = Metadata.parse(section(body, "metadata"))
    return ServiceView(
        **base_fields(body),  # type: ignore[arg-type]
        cluster=meta.labels.get(labels.CLUSTER_NAME, ""),
        digest=meta.annotations.get(labels.TEMPLATE_DIGEST, ""),
        handed_down=meta.annotations.get(labels.HANDED_DOWN, ""),
    )


def deployment_view(body: Manifest) -> DeploymentView:
    """Read a Deployment."""
    meta = Metadata.parse(section(body, "metadata"))
    return DeploymentView(
        **base_fields(body),  # type: ignore[arg-type]
        component=meta.labels.get(labels.COMPONENT, ""),
    )


def budget_view(body: Manifest) -> BudgetView:
    """Read a PodDisruptionBudget."""
    meta = Metadata.parse(section(body, "metadata"))
    return BudgetView(
        **base_fields(body),  # type: ignore[arg-type]
        cluster=meta.labels.get(labels.CLUSTER_NAME, ""),
    )


def cluster_view(body: Manifest) -> ClusterView:
    """Read a DaskCluster."""
    return ClusterView(
        **base_fields(body),  # type: ignore[arg-type]
        generation=int(body["metadata"].get("generation", 0)),
        metadata=Metadata.parse(section(body, "metadata")),
        spec=ClusterSpec.parse(section(body, "spec")),
        worker=section(body, "spec", "worker"),
        status=section(body, "status"),
        written=section(body, "spec"),
    )


def job_view(body: Manifest) -> JobView:
    """Read a DaskJob."""
    spec = section(body, "spec")
    return JobView(
        **base_fields(body),  # type: ignore[arg-type]
        generation=int(body["metadata"].get("generation", 0)),
        metadata=Metadata.parse(section(body, "metadata")),
        spec=JobSpec.parse(spec),
        templates=without_nulls({"job": section(spec, "job"), "cluster": section(spec, "cluster")}),
        status=section(body, "status"),
    )


def autoscaler_view(body: Manifest) -> AutoscalerView:
    """Read a DaskAutoscaler."""
    return AutoscalerView(
        **base_fields(body),  # type: ignore[arg-type]
        metadata=Metadata.parse(section(body, "metadata")),
        spec=section(body, "spec"),
        owner_references=tuple(items(body, "metadata", "ownerReferences")),
        generation=int(body["metadata"].get("generation", 0)),
        conditions=tuple(items(body, "status", "conditions")),
    )


def attempt_of(metadata: Metadata) -> int:
    """The number of the attempt in an object's annotations; 1 where there is none."""
    text = str(metadata.annotations.get(labels.ATTEMPT, ""))
    return int(text) if text.isdigit() else 1


def group_view(body: Manifest) -> GroupView:
    """Read a DaskWorkerGroup."""
    return GroupView(
        **base_fields(body),  # type: ignore[arg-type]
        generation=int(body["metadata"].get("generation", 0)),
        metadata=Metadata.parse(section(body, "metadata")),
        spec=WorkerGroupSpec.parse(section(body, "spec")),
        worker=section(body, "spec", "worker"),
        owner_references=tuple(items(body, "metadata", "ownerReferences")),
        status=section(body, "status"),
    )
