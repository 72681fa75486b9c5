"""How an attempt of a job has ended: by the program, or because the platform took away what it needed.

The rules, in this order:

1. A program that exited 0 has succeeded, whatever else happened.
2. An attempt without its cluster is lost, unless a client had shut the scheduler down.
3. A runner Pod that is gone, or that the platform ended (deletion, eviction, preemption, a node that refuses it or is
   gone), is lost.
4. A program that runs, or that has failed, while the scheduler that it worked with is not alive any more in that same
   life has lost the scheduler: the failure is most likely the consequence.
5. Every other failure is the program's. Since news of two Pods may come in either order, it is judged only when the
   scheduler has given a sign of life after it, or has had its time for that.
"""

from dataclasses import dataclass, replace

from dask_operator_api.conditions import Outcome

from dask_operator.observed import PodView
from dask_operator.plan.attempts import JobAttempt
from dask_operator.plan.job_scheduler import (
    Undecided,
    awaits_sign_of_life,
    fell_silent,
    scheduler_lost,
    with_scheduler,
)
from dask_operator.plan.job_world import JobObserved

SUCCEEDED = "the program has ended with exit code 0"


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    outcome: Outcome
    message: str
    at: float
    exit_code: int | None = None


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
    return with_scheduler(seen, attempt, runner)


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


def ending(seen: JobObserved, attempt: JobAttempt, in_place: bool) -> Ending | Undecided | None:
    """How ``attempt`` has ended; None while it goes on.

    ``in_place``: a program that fails is started again in its Pod.
    """
    runner = seen.runner_of(attempt)
    if runner is not None and runner.succeeded:
        return Ending(Outcome.SUCCEEDED, SUCCEEDED, _end(seen, runner), 0)
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
    lost = scheduler_lost(seen, attempt) or fell_silent(seen, attempt, at)
    if lost:
        return Ending(Outcome.SCHEDULER_LOST, lost, at, exit_code)
    undecided = awaits_sign_of_life(seen, attempt, at)
    if undecided is not None and not in_place:
        return undecided
    words = runner.trouble.message if runner.trouble is not None else "its Pod has failed"
    return Ending(Outcome.PROGRAM_FAILED, words, at, exit_code)


def _end(seen: JobObserved, runner: PodView) -> float:
    return runner.end.at if runner.end is not None and runner.end.at else seen.wall
