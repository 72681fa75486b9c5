"""What to do about the scheduler Pod: create it, replace it when it has ended or was edited, or wait with that."""

from collections.abc import Sequence
from dataclasses import dataclass

from dask_operator_api import labels
from dask_operator_api.manifests import section
from dask_operator_api.times import timestamp

from dask_operator.desired import restart_asked, scheduler_digest, scheduler_metadata, scheduler_pod
from dask_operator.observed import Activity, PodView
from dask_operator.plan import backoff
from dask_operator.plan.cluster_world import Act, ClusterObserved, Create, Delete, Patch
from dask_operator.plan.world import ROSTER_MAX_AGE

IDLE_SECONDS = 10.0
"""Seconds between two questions whether the cluster is idle, while an edited scheduler waits for that."""

REMEMBERED = 6
"""How many losses of a scheduler are remembered."""


@dataclass(frozen=True)
class SchedulerPlan:
    """What to do about the scheduler now."""

    acts: tuple[Act, ...] = ()
    losses: tuple[float, ...] = ()
    """When (epoch seconds) the last schedulers were lost, oldest first; those that were replaced on purpose aside."""
    lost: str = ""
    """The uid of the last of them."""
    replaced: str = ""
    """The uid of the Pod that is replaced on purpose: to be stored before it is deleted."""
    wait: float | None = None
    """Seconds until a lost scheduler is replaced."""
    pending: str = ""
    """What an edit of the scheduler waits for; empty where nothing waits."""
    ask: bool = False
    """Whether the scheduler must be asked what it has to do."""
    again: float | None = None


def plan_scheduler(
    seen: ClusterObserved, image: str, default_image: str, pull_secrets: Sequence[str] = ()
) -> SchedulerPlan:
    """Decide about the scheduler Pod of a cluster that is not being deleted."""
    losses, lost = _losses(seen)
    pod = seen.scheduler
    if pod is not None and (pod.owner != seen.cluster.uid or pod.deleting):
        return SchedulerPlan((), losses, lost)
    if pod is None or pod.finished:
        wait = backoff.delay(losses, seen.wall)
        if wait > 0:
            return SchedulerPlan((), losses, lost, wait=wait, again=wait)
        body = scheduler_pod(seen.cluster, image, default_image, pull_secrets)
        act = Create("Pod", body) if pod is None else _ended(pod)
        return SchedulerPlan((act,), losses, lost)
    return _edited(seen, pod, losses, lost)


def _ended(pod: PodView) -> Delete:
    return Delete("Pod", pod, "the scheduler has ended")


def _losses(seen: ClusterObserved) -> tuple[tuple[float, ...], str]:
    """When schedulers were lost, with the one that is missing now; and the uid of the last of them."""
    before = section(seen.cluster.status, "scheduler")
    told = before.get("lost") if isinstance(before.get("lost"), list) else []
    losses = [timestamp(str(text)) or 0.0 for text in told or []]
    last, known = str(before.get("podUID") or ""), str(before.get("lostUID") or "")
    pod = seen.own_scheduler
    gone = last and (pod is None or pod.uid != last or pod.deleting or pod.finished)
    if gone and last not in (known, before.get("replacedUID")):
        losses, known = [*losses, seen.wall], last
    return tuple(losses[-REMEMBERED:]), known


def _edited(seen: ClusterObserved, pod: PodView, losses: Sequence[float], lost: str) -> SchedulerPlan:
    """Decide about a scheduler that is there: whether it is still what the user wants."""
    asked = restart_asked(seen.cluster)
    if asked and asked != pod.restart:
        return _replace(pod, losses, lost, f"the annotation {labels.RESTART} asks for a new one")
    if not pod.digest or pod.digest == scheduler_digest(seen.cluster):
        return SchedulerPlan(_relabelled(seen, pod), tuple(losses), lost)
    if not pod.running:
        return _replace(pod, losses, lost, "it was edited, and the old one does not run")
    return _when_idle(seen, pod, losses, lost)


def _relabelled(seen: ClusterObserved, pod: PodView) -> tuple[Act, ...]:
    patch = scheduler_metadata(seen.cluster).patch(pod.handed_down)
    if patch is None:
        return ()
    body = {"metadata": {"uid": pod.uid, **patch}}
    return (Patch("Pod", pod.name, body, "labels or annotations were edited"),)


def _replace(pod: PodView, losses: Sequence[float], lost: str, why: str) -> SchedulerPlan:
    return SchedulerPlan((Delete("Pod", pod, why),), tuple(losses), lost, replaced=pod.uid)


def _when_idle(seen: ClusterObserved, pod: PodView, losses: Sequence[float], lost: str) -> SchedulerPlan:
    roster = seen.roster
    age = seen.now - roster.arrived if roster is not None else IDLE_SECONDS
    activity = roster.activity if roster is not None and age < IDLE_SECONDS else None
    if activity is not None and activity.idle:
        if age <= ROSTER_MAX_AGE:
            return _replace(pod, losses, lost, "it was edited, and the cluster is idle")
        activity = None  # it may have got work since
    silent = roster is not None and not roster.reachable and age < IDLE_SECONDS
    return SchedulerPlan(
        _relabelled(seen, pod),
        tuple(losses),
        lost,
        pending=_waits_for(activity, roster.problem if silent and roster is not None else ""),
        ask=activity is None and not silent,
        again=IDLE_SECONDS - age if activity is not None or silent else None,
    )


def _waits_for(activity: Activity | None, problem: str) -> str:
    if problem:
        return f"the scheduler cannot be asked whether it is idle: {problem}"
    if activity is None:
        return "the scheduler is being asked whether it is idle"
    busy = {"clients": activity.clients, "tasks": activity.tasks, "results": activity.results}
    return "the cluster is not idle: " + ", ".join(f"{many} {what}" for what, many in busy.items() if many)
