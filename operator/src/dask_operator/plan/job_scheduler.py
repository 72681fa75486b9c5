"""The scheduler that a job's program works with: which one that is, and whether it still lives.

As long as the program has not started, whichever is Ready is noted in the attempt; then that stays: a program that has
lost it will not find its work in another one.
"""

from dataclasses import dataclass, replace

from dask_operator_api.manifests import Manifest, section
from dask_operator_api.times import timestamp

from dask_operator.observed import PodView
from dask_operator.plan.attempts import JobAttempt
from dask_operator.plan.job_world import JobObserved

VERDICT_SECONDS = 10.0
"""How long a scheduler may take to give a sign of life after a program has failed."""

SILENT_SECONDS = 60.0
"""The same for one that has answered before: Kubernetes takes most of a minute to tell that a node is gone."""

_CLOCKS = 1.0
"""Kubernetes tells times in whole seconds: a sign of life counts when it is later than an end by this much."""


@dataclass(frozen=True)
class Undecided:
    """A program has failed, and it is not known yet whether it lost its scheduler."""

    ask: bool
    """Whether the scheduler can be asked now."""
    again: float
    """Seconds until more is known, at the latest."""


def with_scheduler(seen: JobObserved, attempt: JobAttempt, runner: PodView | None) -> JobAttempt:
    """``attempt`` with the scheduler that its program works with, and whether somebody has shut that down."""
    pod = seen.scheduler_of(attempt)
    if pod is not None and pod.serving and pod.ready and _is_taken(seen, attempt, runner, pod):
        taken = replace(attempt, scheduler_uid=pod.uid, scheduler_restarts=pod.restarts)
        return replace(taken, shut_down=False) if attempt.scheduler_uid else taken
    if not attempt.shut_down and _was_shut_down(seen, attempt, pod):
        return replace(attempt, shut_down=True)
    return attempt


def _is_taken(seen: JobObserved, attempt: JobAttempt, runner: PodView | None, pod: PodView) -> bool:
    """Whether ``pod``, which is Ready, is news as the scheduler of the program."""
    if pod.uid == attempt.scheduler_uid and pod.restarts == attempt.scheduler_restarts:
        return False
    if not attempt.started or (runner is not None and runner.started >= pod.started > 0):
        return True
    return not attempt.scheduler_uid and not attempt.shut_down and not _lost_unnoted(seen, attempt)


def _told(seen: JobObserved, attempt: JobAttempt) -> Manifest:
    """What the cluster of ``attempt`` tells about its scheduler."""
    cluster = seen.cluster_of(attempt)
    return section(cluster.status, "scheduler") if cluster is not None else {}


def _was_shut_down(seen: JobObserved, attempt: JobAttempt, pod: PodView | None) -> bool:
    """Whether the program's scheduler has ended well; the first one, where nobody has seen any when it was Ready.

    One that ended before there was a program, having nothing to do, leaves it without any.
    """
    uid = attempt.scheduler_uid
    if not attempt.started:
        return False
    if pod is not None and pod.ended_well and uid in ("", pod.uid):
        return True
    ended_well = _told(seen, attempt).get("endedWellUID")
    return bool(ended_well) and uid in ("", ended_well)


def scheduler_lost(seen: JobObserved, attempt: JobAttempt) -> str:
    """What became of the scheduler that the program works with; empty where it lives, or never did."""
    if attempt.shut_down:
        return ""
    if not attempt.scheduler_uid:
        return _lost_unnoted(seen, attempt)
    pod = seen.scheduler_of(attempt)
    if pod is None or pod.uid != attempt.scheduler_uid:
        return "the scheduler's Pod is gone"
    if pod.deleting:
        return "the scheduler's Pod is being deleted"
    if pod.restarts > attempt.scheduler_restarts or not pod.running:
        end = f": {pod.end.sentence}" if pod.end is not None else ""
        return f"the scheduler has ended{end}"
    return ""


def _lost_unnoted(seen: JobObserved, attempt: JobAttempt) -> str:
    """What became of a scheduler that nobody has seen when it was Ready: the operator may have been away.

    That its container was started again says nothing: one that never works looks the same, and must not be retried
    without end.
    """
    told, pod = _told(seen, attempt), seen.scheduler_of(attempt)
    known = str(told.get("podUID") or "")
    if not attempt.started:
        return ""
    if known and (pod is None or pod.uid != known):
        return "the scheduler's Pod is gone"
    if pod is not None and (pod.deleting or pod.disruption):
        return f"the scheduler's Pod goes: {pod.disruption or 'it is being deleted'}"
    losses = told.get("lost") if isinstance(told.get("lost"), list) else []
    since = [at for at in losses or () if (timestamp(str(at)) or 0.0) >= attempt.started]
    return f"a scheduler was lost at {since[-1]}" if since else ""


def awaits_sign_of_life(seen: JobObserved, attempt: JobAttempt, at: float) -> Undecided | None:
    """Whether the scheduler has still to show that it outlived a program that ended ``at`` (epoch seconds)."""
    waited = seen.wall - at
    patience = SILENT_SECONDS if seen.heard else VERDICT_SECONDS
    if not attempt.scheduler_uid or attempt.shut_down or waited >= patience:
        return None
    roster = seen.roster
    if roster is not None and roster.reachable and waited - (seen.now - roster.taken) >= _CLOCKS:
        return None
    if waited < _CLOCKS:
        return Undecided(False, _CLOCKS - waited)
    return Undecided(True, patience - waited)


def fell_silent(seen: JobObserved, attempt: JobAttempt, at: float) -> str:
    """Whether the scheduler has not answered since the program ended (``at``), and is not Ready either."""
    pod, roster = seen.scheduler_of(attempt), seen.roster
    asked_after = roster is not None and seen.wall - (seen.now - roster.taken) - at >= _CLOCKS
    silent = seen.heard and asked_after and roster is not None and not roster.reachable
    if attempt.shut_down or pod is None or pod.ready or not silent:
        return ""
    return "the scheduler does not answer any more, and is not Ready"
