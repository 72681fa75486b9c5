"""What to do about a cluster's own objects: the scheduler Pod, the Service, the groups."""

from dataclasses import dataclass, field

from dask_operator_api.kinds import Kind

from dask_operator.desired import (
    Image,
    default_image,
    image_in_force,
    scheduler_budget,
    scheduler_service,
    service_patch,
    worker_digest,
)
from dask_operator.observed import PodView
from dask_operator.plan.belongings import autoscaler_acts, belonging_conflicts, group_acts, passing
from dask_operator.plan.cluster_world import (
    Act,
    ClusterObserved,
    Create,
    Defaults,
    Delete,
    NameConflict,
    Patch,
)
from dask_operator.plan.overdue import overdue
from dask_operator.plan.scheduler import SchedulerPlan, plan_scheduler
from dask_operator.plan.world import RETRY_SECONDS, ROSTER_MAX_AGE, sooner

NOTING_SECONDS = 1.0
"""Seconds between two looks whether a job has noted that its scheduler was shut down."""


@dataclass(frozen=True)
class ClusterPlan:
    """What to do now. Nothing in it waits."""

    image: str
    """For Pods whose template names none; stored before the first of them is created."""
    default_image: str
    """The same where the user names none for the whole cluster: that of the cluster's creation."""
    scheduler: SchedulerPlan = field(default_factory=SchedulerPlan)
    """What is decided about the scheduler; its acts are among ``acts``."""
    acts: tuple[Act, ...] = ()
    retire: tuple[PodView, ...] = ()
    """Workers whose Pods are being deleted by somebody: the scheduler shall move their results meanwhile."""
    conflicts: tuple[NameConflict, ...] = ()
    outdated: int = 0
    """Workers that were made from another template than their group has now."""
    ask: bool = False
    """Whether a fresh roster is needed."""
    again: float | None = None
    """Seconds after which to look again even if nothing happens."""


def plan_cluster(seen: ClusterObserved, defaults: Defaults) -> ClusterPlan:
    """Decide what to do about a cluster that is not being deleted."""
    image = image_in_force(seen.cluster, seen.own_scheduler, defaults.image)
    default = default_image(seen.cluster, seen.own_scheduler, defaults.image)
    end = _end(seen)
    if end is not None and seen.has_program:
        # The program would be run again if the cluster went before the job has noted that.
        return ClusterPlan(image=image.name, default_image=default, again=NOTING_SECONDS)
    if end is not None:
        return ClusterPlan(image=image.name, default_image=default, acts=(end,))
    leaving = _leaving(seen)
    due = [pod for pod in leaving if not _patience(seen, pod)]
    scheduler = plan_scheduler(seen, image.name, default, defaults.pull_secrets)
    forced, later = overdue(_ours(seen), seen.wall)
    return ClusterPlan(
        image=image.name,
        default_image=default,
        scheduler=scheduler,
        acts=(
            *scheduler.acts,
            *_service(seen),
            *_budget(seen, defaults),
            *group_acts(seen),
            *autoscaler_acts(seen),
            *forced,
        ),
        retire=tuple(pod for pod in due if seen.placement.of(pod)) if seen.informed else (),
        conflicts=tuple(_conflicts(seen, defaults)),
        outdated=_outdated(seen, image),
        ask=bool(due) and not seen.informed,
        again=sooner(scheduler.again, later, *(_look_at_leaving(seen, pod) for pod in leaving)),
    )


def _end(seen: ClusterObserved) -> Delete | None:
    """The end of a cluster that had nothing to do for as long as its user allows: its scheduler has ended itself."""
    scheduler, seconds = seen.own_scheduler, seen.cluster.spec.idle_timeout
    if not seconds or scheduler is None or not scheduler.finished or scheduler.exit_code != 0:
        return None
    if scheduler.deleting or scheduler.trouble is not None:  # it was told to end: by hand, or with its node
        return None
    why = f"its scheduler has ended by itself, as after {seconds:g} s without work (spec.idleTimeout)"
    return Delete(Kind.CLUSTER, seen.cluster, why)


def _outdated(seen: ClusterObserved, image: Image) -> int:
    templates = {group.name: worker_digest(group.spec.worker, image.written) for group in seen.groups}
    return sum(
        1
        for pod in seen.workers
        if pod.alive and pod.digest and pod.digest != templates.get(pod.group, pod.digest)
    )


def _ours(seen: ClusterObserved) -> list[PodView]:
    """The Pods of this cluster, and the scheduler of one before it that still has the name."""
    scheduler = seen.scheduler
    known = scheduler is not None and (
        scheduler.owner == seen.cluster.uid or passing(scheduler, Kind.CLUSTER)
    )
    return [*seen.workers, *([scheduler] if known and scheduler is not None else [])]


def _service(seen: ClusterObserved) -> list[Act]:
    service = seen.service
    if service is None:
        return [Create("Service", scheduler_service(seen.cluster))]
    ours = service.owner == seen.cluster.uid and not service.deleting
    patch = service_patch(seen.cluster, service) if ours else None
    return [Patch("Service", service.name, patch, "the cluster's service was edited")] if patch else []


def _wants_budget(seen: ClusterObserved, defaults: Defaults) -> bool:
    own = seen.cluster.spec.scheduler.disruption_budget
    return defaults.disruption_budget if own is None else own


def _budget(seen: ClusterObserved, defaults: Defaults) -> list[Act]:
    """The PodDisruptionBudget of the scheduler, where the user or the install wants one."""
    budget, wanted = seen.budget, _wants_budget(seen, defaults)
    if wanted and budget is None:
        return [Create("PodDisruptionBudget", scheduler_budget(seen.cluster))]
    ours = budget is not None and budget.owner == seen.cluster.uid and not budget.deleting
    if budget is not None and ours and not wanted:
        return [Delete("PodDisruptionBudget", budget, "no disruption budget is wanted any more")]
    return []


def _conflicts(seen: ClusterObserved, defaults: Defaults) -> list[NameConflict]:
    found = []
    budget = seen.budget if _wants_budget(seen, defaults) else None
    named = (("Pod", seen.scheduler), ("Service", seen.service), ("PodDisruptionBudget", budget))
    for kind, view in named:
        if view is not None and view.owner != seen.cluster.uid and not passing(view, Kind.CLUSTER):
            found.append(NameConflict(kind, view.name))
    found += belonging_conflicts(seen)
    return found


def _leaving(seen: ClusterObserved) -> tuple[PodView, ...]:
    """Worker Pods that somebody deletes or evicts while the cluster lives, and whose workers can still be saved."""
    scheduler = seen.own_scheduler
    if scheduler is None or not scheduler.serving:
        return ()
    return tuple(pod for pod in seen.workers if pod.deleting and pod.running)


def _look_at_leaving(seen: ClusterObserved, pod: PodView) -> float:
    """Seconds until another look at a worker that somebody deletes. There is one until its container ends.

    Soon, if the scheduler does not know it: it may have connected since that was asked, and get work. And after every
    try to retire it: there may be room for its results by then.
    """
    unknown = seen.informed and not seen.placement.of(pod)
    return _patience(seen, pod) or (ROSTER_MAX_AGE if unknown else RETRY_SECONDS)


def _patience(seen: ClusterObserved, pod: PodView) -> float:
    """Seconds until the scheduler is asked to retire a Pod's workers: not while it is at it, not again at once."""
    if pod.uid in seen.in_flight:
        return RETRY_SECONDS
    attempt = seen.attempts.get(pod.uid)
    return max(0.0, attempt.at + RETRY_SECONDS - seen.now) if attempt is not None else 0.0
