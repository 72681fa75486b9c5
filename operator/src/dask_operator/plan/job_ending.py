"""How an attempt of a job has ended: by the program, or because the platform took away what it needed.

The rules, in this order:

1. A program that exited 0 has succeeded, whatever else happened.
2. An attempt without its cluster is lost, unless a client had shut the scheduler down.
3. A runner Pod that is gone, or that the platform ended (deletion, eviction, preemption, a node that refuses it or is
   gone), is lost.
4. A program that runs, or that has failed, while the scheduler that it worked with is not alive any more in that same
   life has lost the scheduler: the failure is most likely the consequence.
5. Every other failure is the program's. Since news of two Pods may come in either order, it is judged only when the
   scheduler has given a sign of life after it, or has had ``VERDICT_SECONDS`` for that.
"""

from dataclasses import dataclass, replace

from dask_operator_api.conditions import Outcome
from dask_operator_api.manifests import section

from dask_operator.observed import PodView
from dask_operator.plan.attempts import JobAttempt
from dask_operator.plan.job_world import JobObserved

VERDICT_SECONDS = 10.0
"""How long a scheduler may take to give a sign of life after a program has failed."""

_CLOCKS = 1.0
"""Kubernetes tells times in whole seconds: a sign of life counts when it is later than an end by this much."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    outcome: Outcome
    message: str
    at: float
    exit_code: int | None = None


@dataclass(frozen=True)
class Undecided:
    """A program has failed, and it is not known yet whether it lost its scheduler."""

    ask: bool
    """Whether the scheduler can be asked now."""
    again: float
    """Seconds until more is known, at the latest."""


def noted(seen: JobObserved, attempt: JobAttempt) -> JobAttempt:
    """``attempt`` with what can be seen of it now."""
    cluster, runner = seen.cluster_of(attempt), seen.runner_of(attempt)
    if cluster is not None:
        attempt = replace(attempt, cluster_uid=cluster.uid)
    if runner is not None:
        attempt = replace(
            _with_restart(attempt, runner),
            runner_uid=runner.uid,
            restarts=runner.restarts,
            started=attempt.started or _first_start(runner),
        )
    return _with_scheduler(seen, attempt, runner)


def _first_start(runner: PodView) -> float:
    """When the program of a Pod started; for one that has ended already, as good as is known."""
    if runner.started or runner.end is None:
        return runner.started
    return runner.end.started or runner.placed or runner.created


def _with_restart(attempt: JobAttempt, runner: PodView) -> JobAttempt:
    """Note that the program was started again in its Pod: how it ended before; that log has to be read."""
    if runner.end is None or runner.restarts == attempt.restarts:
        return attempt
    return replace(attempt, exit_code=runner.end.exit_code, message=runner.end.sentence, log=None)


def _with_scheduler(seen: JobObserved, attempt: JobAttempt, runner: PodView | None) -> JobAttempt:
    """Note the scheduler that the program works with, and whether somebody has shut it down."""
    pod = seen.scheduler_of(attempt)
    if attempt.shut_down or _ended_well(seen, attempt, pod):
        return replace(attempt, shut_down=True)
    if pod is None or not pod.serving or not pod.ready:
        return attempt
    known = attempt.scheduler_uid and attempt.started
    same = pod.uid == attempt.scheduler_uid and pod.restarts == attempt.scheduler_restarts
    if same or (known and not (runner is not None and runner.started >= pod.started > 0)):
        return attempt
    return replace(attempt, scheduler_uid=pod.uid, scheduler_restarts=pod.restarts)


def _ended_well(seen: JobObserved, attempt: JobAttempt, pod: PodView | None) -> bool:
    if not attempt.scheduler_uid:
        return False
    if pod is not None and pod.uid == attempt.scheduler_uid and pod.succeeded:
        return True
    cluster = seen.cluster_of(attempt)
    told = section(cluster.status, "scheduler") if cluster is not None else {}
    return bool(told.get("endedWellUID") == attempt.scheduler_uid)


def ending(seen: JobObserved, attempt: JobAttempt, in_place: bool) -> Ending | Undecided | None:
    """How ``attempt`` has ended; None while it goes on.

    ``in_place``: a program that fails is started again in its Pod.
    """
    runner = seen.runner_of(attempt)
    if runner is not None and runner.succeeded:
        return Ending(Outcome.SUCCEEDED, "the program has ended with exit code 0", _end(seen, runner), 0)
    if attempt.cluster_uid and not attempt.shut_down and seen.cluster_of(attempt) is None:
        return Ending(Outcome.CLUSTER_LOST, "somebody has deleted its DaskCluster", seen.wall)
    if runner is None:
        gone = f"its Pod {attempt.runner} is gone"
        return Ending(Outcome.RUNNER_LOST, gone, seen.wall) if attempt.runner_uid else None
    if runner.finished:
        return _failed(seen, attempt, runner, in_place)
    lost = scheduler_lost(seen, attempt)
    return Ending(Outcome.SCHEDULER_LOST, lost, seen.wall) if attempt.started and lost else None


def _failed(seen: JobObserved, attempt: JobAttempt, runner: PodView, in_place: bool) -> Ending | Undecided:
    at, exit_code = _end(seen, runner), runner.exit_code
    if runner.deleting or runner.disruption:
        why = runner.disruption or "somebody has deleted its Pod"
        return Ending(Outcome.RUNNER_LOST, why, at, exit_code)
    lost = scheduler_lost(seen, attempt)
    if lost:
        return Ending(Outcome.SCHEDULER_LOST, lost, at, exit_code)
    undecided = _awaits_sign_of_life(seen, attempt, at)
    if undecided is not None and not in_place:
        return undecided
    words = runner.trouble.message if runner.trouble is not None else "its Pod has failed"
    return Ending(Outcome.PROGRAM_FAILED, words, at, exit_code)


def _end(seen: JobObserved, runner: PodView) -> float:
    return runner.end.at if runner.end is not None and runner.end.at else seen.wall


def scheduler_lost(seen: JobObserved, attempt: JobAttempt) -> str:
    """What became of the scheduler that the program works with; empty where it lives, or never did."""
    if not attempt.scheduler_uid or attempt.shut_down:
        return ""
    pod = seen.scheduler_of(attempt)
    if pod is None or pod.uid != attempt.scheduler_uid:
        return "the scheduler's Pod is gone"
    if pod.deleting:
        return "the scheduler's Pod is being deleted"
    if pod.restarts > attempt.scheduler_restarts or not pod.running:
        end = f": {pod.end.sentence}" if pod.end is not None else ""
        return f"the scheduler has ended{end}"
    return ""


def _awaits_sign_of_life(seen: JobObserved, attempt: JobAttempt, at: float) -> Undecided | None:
    """Whether the scheduler has still to show that it outlived a program that ended ``at`` (epoch seconds)."""
    waited = seen.wall - at
    if not attempt.scheduler_uid or attempt.shut_down or waited >= VERDICT_SECONDS:
        return None
    roster = seen.roster
    if roster is not None and roster.reachable and waited - (seen.now - roster.taken) >= _CLOCKS:
        return None
    if waited < _CLOCKS:
        return Undecided(False, _CLOCKS - waited)
    return Undecided(True, VERDICT_SECONDS - waited)
