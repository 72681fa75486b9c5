"""What to do about a cluster's own objects: the scheduler Pod, the Service, the groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dask_operator_api import names
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator.desired import (
    default_group,
    group_spec_patch,
    scheduler_pod,
    scheduler_service,
    service_digest,
)
from dask_operator.desired.metadata import owner_reference
from dask_operator.observed import ClusterView, GroupView, ObjectView, PodView, Roster, ServiceView
from dask_operator.observed.roster import Placement, placement_of
from dask_operator.plan.shrinking import RETRY_SECONDS
from dask_operator.plan.world import ROSTER_MAX_AGE, Attempt, sooner

PAUSE_SECONDS = 5.0
LONGEST_PAUSE = 300.0


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
    """uids of Pods for which the scheduler is at work on a request to retire."""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    """uid → the last request to retire it that has ended."""
    now: float = 0.0
    """Monotonic seconds."""
    wall: float = 0.0
    """Seconds since the epoch."""

    @cached_property
    def placement(self) -> Placement:
        """Which worker processes run in which Pod."""
        return placement_of(self.roster, self.workers)

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
    default_image: str
    """The same where the user names none for the whole cluster: that of the cluster's creation."""
    acts: tuple[Create | Patch | Delete, ...] = ()
    retire: tuple[PodView, ...] = ()
    """Workers whose Pods are being deleted by somebody: the scheduler shall move their results meanwhile."""
    conflicts: tuple[NameConflict, ...] = ()
    ask: bool = False
    """Whether a fresh roster is needed."""
    again: float | None = None
    """Seconds after which to look again even if nothing happens."""


def plan_cluster(seen: ClusterObserved, default_image: str) -> ClusterPlan:
    """Decide what to do about a cluster that is not being deleted."""
    image = cluster_image(seen.cluster, default_image)
    leaving = _leaving(seen)
    informed = _is_informed(seen)
    scheduler, pause = _scheduler(seen, image)
    return ClusterPlan(
        image=image,
        default_image=_default_image(seen.cluster, default_image),
        acts=(*scheduler, *_service(seen), *_groups(seen)),
        retire=leaving if informed else (),
        conflicts=tuple(_conflicts(seen)),
        ask=bool(leaving) and not informed,
        again=sooner(pause, RETRY_SECONDS if leaving else None),
    )


def cluster_image(cluster: ClusterView, default_image: str) -> str:
    """The image for templates that name none: the user's, else the default that was found at creation."""
    return cluster.spec.image or _default_image(cluster, default_image)


def _default_image(cluster: ClusterView, default_image: str) -> str:
    """The default that was found when the cluster was created; at that moment, the install's."""
    return str(cluster.status.get("defaultImage") or default_image)


def _scheduler(seen: ClusterObserved, image: str) -> tuple[list[Create | Delete], float | None]:
    """The scheduler Pod: created if missing, replaced if it has ended; and how long to wait with that."""
    pod = seen.scheduler
    if pod is None:
        return [Create("Pod", scheduler_pod(seen.cluster, image))], None
    if pod.owner != seen.cluster.uid or not pod.finished or pod.deleting:
        return [], None
    pause = pod.created + _replacement_pause(seen) - seen.wall
    if pause > 0:
        return [], pause
    return [Delete("Pod", pod, "the scheduler has ended")], None


def _replacement_pause(seen: ClusterObserved) -> float:
    """The least seconds between the creation of a scheduler and of the next: more for each that there was."""
    restarts = int(section(seen.cluster.status, "scheduler").get("restarts") or 0)
    return min(LONGEST_PAUSE, PAUSE_SECONDS * restarts)


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
    if scheduler is None or not scheduler.serving:
        return ()
    leaving = [pod for pod in seen.workers if pod.deleting and pod.running and _worth_asking(seen, pod)]
    if _is_informed(seen):
        leaving = [pod for pod in leaving if seen.placement.of(pod)]
    return tuple(leaving)


def _is_informed(seen: ClusterObserved) -> bool:
    """Whether the scheduler has just said which workers it has, and where."""
    roster = seen.roster
    return roster is not None and roster.reachable and seen.now - roster.arrived <= ROSTER_MAX_AGE


def _worth_asking(seen: ClusterObserved, pod: PodView) -> bool:
    """Whether to ask the scheduler to retire a Pod's workers: not while it is at it, not again at once."""
    attempt = seen.attempts.get(pod.uid)
    return pod.uid not in seen.in_flight and (attempt is None or seen.now - attempt.at >= RETRY_SECONDS)
