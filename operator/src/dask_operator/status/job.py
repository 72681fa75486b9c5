"""The status of a job."""

from dask_operator_api.conditions import (
    TROUBLE,
    Condition,
    ConditionType,
    JobPhase,
    Outcome,
    Reason,
    known_reason,
    merged,
)
from dask_operator_api.manifests import Manifest, items
from dask_operator_api.times import rfc3339

from dask_operator.desired.digests import digest
from dask_operator.observed import PodView, Trouble
from dask_operator.plan.attempts import JobAttempt, JobState
from dask_operator.plan.job_acts import connected, workers_connected
from dask_operator.plan.job_world import JobObserved, JobPlan
from dask_operator.status.conditions import Problem, first_trouble

WRITTEN_AHEAD = ("attempts", "failures", "activeSince", "template", "endTime")
"""What must be stored before it is acted on; the verdict is among the conditions, and those are never late."""


def job_status(seen: JobObserved, plan: JobPlan, problem: Problem | None, stuck: Trouble | None) -> Manifest:
    """The status of a job that is not being deleted. ``stuck`` is about a runner that takes too long to start."""
    state = plan.state
    conditions = [
        _complete(seen, plan, problem, stuck),
        _failed(state),
        _suspended(seen, state),
        _edit_ignored(seen, state),
    ]
    last = state.last
    return {
        "jobStatus": _phase(seen, state).value,
        "clusterName": seen.job.name if last is not None else None,
        "jobRunnerPodName": last.runner if last is not None else None,
        "startTime": rfc3339(state.started) if state.started else None,
        "endTime": _end_time(state),
        "activeSince": rfc3339(state.active_since) if state.active_since is not None else None,
        "attempts": [attempt.as_status() for attempt in state.attempts],
        "failures": state.failures,
        "template": state.copied or None,
        "templateGeneration": state.copied_generation,
        "observedGeneration": seen.job.generation,
        "conditions": merged(seen.job.status, conditions, seen.job.generation, seen.wall),
    }


def _end_time(state: JobState) -> str | None:
    """When the program ended, or the job was given up."""
    if state.verdict is None:
        return None
    last, at = state.last, state.verdict.at
    late = state.verdict.reason is Reason.DEADLINE_EXCEEDED
    between = last is None or (late and last.outcome is not Outcome.DEADLINE_EXCEEDED)
    return rfc3339(at if between or last is None or not last.ended else last.ended)


def _phase(seen: JobObserved, state: JobState) -> JobPhase:
    if state.verdict is not None:
        return JobPhase.SUCCESSFUL if state.verdict.complete else JobPhase.FAILED
    present = state.present
    if present is None:
        return JobPhase.CREATED
    if present.started:
        return JobPhase.RUNNING
    return JobPhase.CLUSTER_CREATED if present.cluster_uid else JobPhase.CREATED


def _failed(state: JobState) -> Condition:
    verdict = state.verdict
    if verdict is None or verdict.complete:
        return Condition(ConditionType.FAILED, False, Reason.NOT_FAILED)
    return Condition(ConditionType.FAILED, True, verdict.reason, verdict.message)


def _suspended(seen: JobObserved, state: JobState) -> Condition:
    """True only when nothing of the job runs any more."""
    kind = ConditionType.SUSPENDED
    if not seen.job.spec.suspend or state.verdict is not None:
        return Condition(kind, False, Reason.NOT_SUSPENDED)
    left = [f"DaskCluster {seen.own_cluster.name}"] if seen.own_cluster is not None else []
    scheduler = [seen.scheduler] if seen.scheduler is not None else []
    left += sorted(
        f"Pod {pod.name}" for pod in (*seen.runners, *scheduler, *seen.workers) if not pod.finished
    )
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        return Condition(
            kind, False, Reason.SUSPENDING, f"waiting for {', '.join(left[:3])}{more} to be gone"
        )
    return Condition(kind, True, Reason.JOB_SUSPENDED, "spec.suspend is true, and nothing of it runs")


def _edit_ignored(seen: JobObserved, state: JobState) -> Condition:
    """Whether the templates were edited since they were copied.

    The generation has to have changed too: a default that a newer CRD fills in is nobody's edit.
    """
    kind, job = ConditionType.EDIT_IGNORED, seen.job
    same = not state.copied or digest(**state.copied) == digest(**job.templates)
    if same or job.generation <= state.copied_generation:
        return Condition(kind, False, Reason.UP_TO_DATE)
    message = (
        "spec.job or spec.cluster was edited after the start, which changes nothing: "
        "suspend the job and resume it to begin anew with the edit"
        if state.verdict is None
        else "spec.job or spec.cluster was edited after the end, which changes nothing"
    )
    return Condition(kind, True, Reason.STARTED_BEFORE, message)


def _complete(seen: JobObserved, plan: JobPlan, problem: Problem | None, stuck: Trouble | None) -> Condition:
    """Whether the program has ended well; if not, how far the job is, or what is in its way."""
    kind, state = ConditionType.COMPLETE, plan.state
    if state.verdict is not None:
        return Condition(kind, state.verdict.complete, state.verdict.reason, state.verdict.message)
    present = state.present
    if present is None:
        return _without_attempt(seen, plan)
    foreign = seen.foreign if plan.waits_for else None
    if foreign is not None:
        message = f"{foreign[0]} {foreign[1].name} exists and belongs to something else: delete it, or rename the job"
        return Condition(kind, False, Reason.NAME_CONFLICT, message)
    if problem is not None:
        return Condition(kind, False, problem.reason, problem.message)
    if plan.waits_for:
        message = f"attempt {present.number} waits for {plan.waits_for} to be gone"
        return Condition(kind, False, Reason.CLEARING_AWAY, message)
    trouble = _trouble(seen, present, stuck)
    if trouble is not None:
        return Condition(kind, False, trouble.reason, trouble.message)
    return _on_the_way(seen, present)


def _without_attempt(seen: JobObserved, plan: JobPlan) -> Condition:
    kind, last = ConditionType.COMPLETE, plan.state.last
    if seen.job.spec.suspend:
        return Condition(kind, False, Reason.JOB_SUSPENDED, "spec.suspend is true")
    if last is None or plan.next_at is None:
        return Condition(kind, False, Reason.CLUSTER_STARTING, "the first attempt begins")
    message = (
        f"attempt {last.number} has ended ({last.outcome}): {last.message}; "
        f"the next one begins at {rfc3339(plan.next_at + 0.5)}"
    )
    return Condition(kind, False, Reason.RETRYING, message)


def _on_the_way(seen: JobObserved, present: JobAttempt) -> Condition:
    kind = ConditionType.COMPLETE
    runner = seen.runner_of(present)
    if not present.cluster_uid:
        return Condition(kind, False, Reason.CLUSTER_STARTING, f"attempt {present.number} begins")
    if runner is None and not workers_connected(seen, present):
        wanted = seen.job.spec.start.workers
        message = f"{connected(seen, present)} of {wanted} workers are connected (spec.startPolicy.workers)"
        return Condition(kind, False, Reason.WAITING_FOR_WORKERS, message)
    if runner is None or not present.started:
        return Condition(kind, False, Reason.RUNNER_STARTING, f"waiting for Pod {present.runner} to start")
    if runner.deleting:
        return Condition(kind, False, Reason.PROGRAM_ENDED, f"Pod {runner.name} is being deleted")
    if runner.finished:
        message = "the program has failed; finding out whether it lost its scheduler"
        return Condition(kind, False, Reason.PROGRAM_ENDED, message)
    again = f", started again {present.restarts} times; last: {present.message}" if present.restarts else ""
    message = f"attempt {present.number} runs in Pod {present.runner}{again}"
    return Condition(kind, False, Reason.PROGRAM_RUNNING, message)


def _trouble(seen: JobObserved, present: JobAttempt, stuck: Trouble | None) -> Trouble | None:
    """What keeps the attempt from going on as it should: with its runner first, then with its cluster."""
    runner = seen.runner_of(present)
    pods: list[PodView] = [runner] if runner is not None and not runner.finished else []
    return first_trouble(pods, stuck if pods and not pods[0].running else None) or _of_cluster(seen, present)


def _of_cluster(seen: JobObserved, present: JobAttempt) -> Trouble | None:
    """What the cluster says is wrong with it; what its own progress is said elsewhere."""
    cluster = seen.cluster_of(present)
    for item in items(cluster.status if cluster is not None else None, "conditions"):
        reason = known_reason(item.get("reason"))
        if item.get("status") == "False" and reason in TROUBLE and reason is not None:
            return Trouble(reason, f"DaskCluster {seen.job.name}: {item.get('message', '')}")
    return None
