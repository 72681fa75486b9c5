"""What to do about a cluster's own objects: the scheduler Pod, the Service, the groups."""

from dataclasses import dataclass

from dask_operator_api import names
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator.desired import (
    default_group,
    group_spec_patch,
    scheduler_pod,
    scheduler_service,
    service_digest,
)
from dask_operator.desired.metadata import owner_reference
from dask_operator.observed import ClusterView, GroupView, ObjectView, PodView, Roster, ServiceView
from dask_operator.observed.roster import place


@dataclass(frozen=True)
class ClusterObserved:
    """All that decisions about a cluster are made from."""

    cluster: ClusterView
    scheduler: PodView | None
    """The Pod that has the scheduler's name, whoever it belongs to."""
    service: ServiceView | None
    """The Service that has the scheduler's name, whoever it belongs to."""
    groups: tuple[GroupView, ...]
    """Every group that names the cluster."""
    workers: tuple[PodView, ...]
    """Every worker Pod of this incarnation."""
    roster: Roster | None
    in_flight: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    """uids of Pods for which a request to retire was answered already."""

    @property
    def own_scheduler(self) -> PodView | None:
        """The scheduler Pod, if it is this cluster's."""
        pod = self.scheduler
        return pod if pod is not None and pod.owner == self.cluster.uid else None


@dataclass(frozen=True)
class NameConflict:
    """An object of somebody else has a name that the cluster needs."""

    kind: str
    name: str

    @property
    def message(self) -> str:
        """What is wrong and what to do."""
        return (
            f"{self.kind} {self.name} exists and belongs to something else: delete it, or rename the cluster"
        )


@dataclass(frozen=True)
class Create:
    """An object to create."""

    kind: str
    body: Manifest


@dataclass(frozen=True)
class Patch:
    """An object to patch: a JSON patch where ``body`` is a list, else a merge patch."""

    kind: str
    name: str
    body: Manifest | list[Manifest]
    why: str


@dataclass(frozen=True)
class Delete:
    """An object to delete."""

    kind: str
    view: ObjectView
    why: str


@dataclass(frozen=True)
class ClusterPlan:
    """What to do now. Nothing in it waits."""

    image: str
    """For Pods whose template names none; stored before the first of them is created."""
    acts: tuple[Create | Patch | Delete, ...] = ()
    retire: tuple[PodView, ...] = ()
    """Workers whose Pods are being deleted by somebody: the scheduler shall move their results meanwhile."""
    conflicts: tuple[NameConflict, ...] = ()
    ask: bool = False


def plan_cluster(seen: ClusterObserved, default_image: str) -> ClusterPlan:
    """Decide what to do about a cluster that is not being deleted."""
    image = cluster_image(seen.cluster, default_image)
    conflicts = tuple(_conflicts(seen))
    leaving = _leaving(seen)
    return ClusterPlan(
        image=image,
        acts=(*_scheduler(seen, image), *_service(seen), *_groups(seen)),
        retire=leaving if seen.roster is not None and seen.roster.reachable else (),
        conflicts=conflicts,
        ask=bool(leaving) and seen.roster is None,
    )


def cluster_image(cluster: ClusterView, default_image: str) -> str:
    """The image for templates that name none: the user's, else the default that was found at creation."""
    return cluster.spec.image or str(cluster.status.get("image") or "") or default_image


def _scheduler(seen: ClusterObserved, image: str) -> list[Create | Delete]:
    pod = seen.scheduler
    if pod is None:
        return [Create("Pod", scheduler_pod(seen.cluster, image))]
    if pod.owner == seen.cluster.uid and pod.finished and not pod.deleting:
        return [Delete("Pod", pod, "the scheduler has ended")]
    return []


def _service(seen: ClusterObserved) -> list[Create | Patch]:
    service = seen.service
    if service is None:
        return [Create("Service", scheduler_service(seen.cluster))]
    ours = service.owner == seen.cluster.uid and not service.deleting
    if ours and service.digest != service_digest(seen.cluster):
        wanted = scheduler_service(seen.cluster)
        body = {"metadata": {**_identity(service), **_metadata(wanted)}, "spec": wanted["spec"]}
        return [Patch("Service", service.name, body, "the cluster's service was edited")]
    return []


def _metadata(body: Manifest) -> Manifest:
    return {key: body["metadata"][key] for key in ("labels", "annotations")}


def _identity(view: ObjectView) -> Manifest:
    return {"uid": view.uid, "resourceVersion": str(view.version)}


def _groups(seen: ClusterObserved) -> list[Create | Patch]:
    acts: list[Create | Patch] = []
    default = names.default_group_name(seen.cluster.name)
    if all(group.name != default for group in seen.groups):
        acts.append(Create(Kind.WORKER_GROUP, default_group(seen.cluster)))
    for group in seen.groups:
        if group.deleting:
            continue
        if not group.owner:
            acts.append(_adoption(seen.cluster, group))
        elif group.owner == seen.cluster.uid and group.name == default:
            patch = group_spec_patch(seen.cluster, group)
            if patch:
                acts.append(Patch(Kind.WORKER_GROUP, group.name, patch, "the cluster was edited"))
    return acts


def _adoption(cluster: ClusterView, group: GroupView) -> Patch:
    references = [*group.owner_references, owner_reference(cluster)]
    body = {"metadata": {**_identity(group), "ownerReferences": references}}
    return Patch(Kind.WORKER_GROUP, group.name, body, "it names this cluster")


def _conflicts(seen: ClusterObserved) -> list[NameConflict]:
    found = []
    for kind, view in (("Pod", seen.scheduler), ("Service", seen.service)):
        if view is not None and view.owner != seen.cluster.uid and not _passing(view, Kind.CLUSTER):
            found.append(NameConflict(kind, view.name))
    default = names.default_group_name(seen.cluster.name)
    for group in seen.groups:
        foreign = bool(group.owner) and group.owner != seen.cluster.uid
        if group.name == default and foreign and not _passing(group, Kind.CLUSTER):
            found.append(NameConflict(Kind.WORKER_GROUP, group.name))
    return found


def _passing(view: ObjectView, owner_kind: str) -> bool:
    """Whether an object is about to go: it is being deleted, or belonged to a cluster of the same name."""
    return view.deleting or view.owner_kind == owner_kind


def _leaving(seen: ClusterObserved) -> tuple[PodView, ...]:
    """Worker Pods that somebody deletes or evicts while the cluster lives, with workers that can be saved."""
    scheduler = seen.own_scheduler
    if scheduler is None or not scheduler.running:
        return ()
    done = seen.in_flight | seen.asked
    leaving = [pod for pod in seen.workers if pod.deleting and pod.running and pod.uid not in done]
    if seen.roster is not None and seen.roster.reachable:
        placement = place(seen.roster, seen.workers)
        leaving = [pod for pod in leaving if placement.of(pod)]
    return tuple(leaving)
