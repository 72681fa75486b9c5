"""What is done for the present attempt of a job, and what is taken away of those before it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dask_operator_api import labels
from dask_operator_api.conditions import Outcome
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import section

from dask_operator.desired.job import job_cluster, job_runner
from dask_operator.observed import PodView
from dask_operator.plan.attempts import JobAttempt, JobState
from dask_operator.plan.cluster_world import Act, Create, Delete, Patch
from dask_operator.plan.job_world import JobObserved
from dask_operator.plan.overdue import OVERDUE_SECONDS, overdue
from dask_operator.plan.world import sooner

LINGER_SECONDS = 30.0
"""How long the other containers of a runner may go on when the program has ended."""

DEFAULT_GRACE_SECONDS = 30.0
"""Kubernetes' own, for a template that names none."""

STOP_NOW = 1
"""``activeDeadlineSeconds`` of a Pod that is to be stopped: its node ends it, and its log stays."""


@dataclass(frozen=True)
class JobActs:
    """What to do now, and when to look again."""

    acts: tuple[Act, ...] = ()
    again: float | None = None
    waits_for: str = ""
    """What must be gone before the present attempt can be made."""


def job_acts(seen: JobObserved, state: JobState) -> JobActs:
    """Everything to do about the objects of a job whose status is ``state``."""
    expired, ttl_left = _expired(seen, state)
    if expired is not None:
        return JobActs((expired,))
    forced, later = overdue((*seen.runners, *seen.former), seen.wall)
    runners = _runners(seen, state)
    cluster, keep_left = _cluster(seen, state)
    made, waits_for = _made(seen, state)
    return JobActs(
        acts=(*_relabelled(seen), *runners.acts, *cluster, *forced, *made),
        again=sooner(ttl_left, later, runners.again, keep_left),
        waits_for=waits_for,
    )


def _expired(seen: JobObserved, state: JobState) -> tuple[Delete | None, float | None]:
    """The deletion of the job itself, when its time is over; else the seconds until then."""
    ttl = seen.job.spec.ttl
    if state.verdict is None or ttl is None:
        return None, None
    left = state.verdict.at + ttl - seen.wall
    if left > 0:
        return None, left
    return Delete(Kind.JOB, seen.job, "its ttlSecondsAfterFinished is over"), None


# -- the cluster


def _cluster(seen: JobObserved, state: JobState) -> tuple[list[Act], float | None]:
    """The deletion of a cluster that no attempt works with; else the seconds that it is kept."""
    cluster = seen.own_cluster
    if cluster is None or cluster.deleting:
        return [], None
    present = state.present
    if present is not None:
        unwanted = seen.cluster_of(present) is None
        return (
            [Delete(Kind.CLUSTER, cluster, "it was made for an earlier attempt")] if unwanted else []
        ), None
    left = _kept_for(seen, state)
    if left > 0:
        return [], left
    return [Delete(Kind.CLUSTER, cluster, "the attempt that it was made for has ended")], None


def _kept_for(seen: JobObserved, state: JobState) -> float:
    """Seconds that the cluster of a job that has ended is still kept."""
    if state.verdict is None:
        return 0.0
    spec = seen.job.spec
    keep = spec.keep_on_success if state.verdict.complete else spec.keep_on_failure
    return state.verdict.at + keep - seen.wall


# -- the present attempt


def _made(seen: JobObserved, state: JobState) -> tuple[list[Act], str]:
    """What is to be created for the present attempt; and what must be gone before."""
    present = state.present
    if present is None or seen.refused:
        return [], ""
    if not present.cluster_uid:
        waits_for = _waits_for(seen, present)
        create = Create(Kind.CLUSTER, job_cluster(seen.job, state.template, present.number))
        return ([] if waits_for else [create]), waits_for
    if present.runner_uid or not workers_connected(seen, present):
        return [], ""
    return [Create("Pod", job_runner(seen.job, state.template, present.number, _retries_in_place(seen)))], ""


def _waits_for(seen: JobObserved, present: JobAttempt) -> str:
    """What is still there of earlier attempts, or of a job of this name before."""
    running = [f"Pod {pod.name}" for pod in (*seen.runners, *seen.former) if not pod.finished]
    running += [f"Pod {pod.name}" for pod in seen.former if pod.finished and pod.name == present.runner]
    named = [f"{kind} {view.name}" for kind, view in seen.in_the_way]
    return ", ".join((*running, *named))


def workers_connected(seen: JobObserved, present: JobAttempt) -> bool:
    """Whether as many workers are connected as the program is to wait for."""
    return connected(seen, present) >= seen.job.spec.start.workers


def connected(seen: JobObserved, present: JobAttempt) -> int:
    """How many workers the cluster of the present attempt has connected."""
    cluster = seen.cluster_of(present)
    return int(section(cluster.status, "workers").get("connected") or 0) if cluster is not None else 0


def _retries_in_place(seen: JobObserved) -> bool:
    return seen.job.spec.backoff_limit is None


# -- runners of attempts that have ended


def _runners(seen: JobObserved, state: JobState) -> JobActs:
    present = state.present
    past = [pod for pod in seen.runners if present is None or seen.runner_of(present) is not pod]
    attempts = {attempt.runner: attempt for attempt in state.attempts}
    return _joined(_past_runner(seen, state, pod, attempts.get(pod.name)) for pod in past)


def _relabelled(seen: JobObserved) -> list[Act]:
    """Runners without their labels get them back: by those the watches select."""
    wanted = {labels.CLUSTER_NAME: seen.job.name, labels.COMPONENT: labels.JOB_RUNNER}
    return [
        Patch("Pod", pod.name, {"metadata": {"uid": pod.uid, "labels": wanted}}, "its labels were edited")
        for pod in seen.runners
        if (pod.cluster, pod.component) != (seen.job.name, labels.JOB_RUNNER)
    ]


def _past_runner(seen: JobObserved, state: JobState, pod: PodView, attempt: JobAttempt | None) -> JobActs:
    """A runner of an attempt that has ended stays there for its log, and nothing in it runs."""
    if pod.deleting:
        return JobActs()
    if attempt is None:
        forgotten = bool(state.attempts) and pod.attempt < state.attempts[0].number
        return _deleted(pod, "its attempt is forgotten") if forgotten else JobActs()
    if pod.over:
        return JobActs()
    if attempt.outcome is Outcome.SUSPENDED:
        return _deleted(pod, "the job is suspended")
    if pod.finished and pod.end is not None and seen.wall - pod.end.at < LINGER_SECONDS:
        return JobActs(again=pod.end.at + LINGER_SECONDS - seen.wall)
    if not pod.node or (pod.end is None and not pod.running):
        return _deleted(pod, "it has not started, and is not to")
    return _stopping(seen, state, pod, attempt)


def _stopping(seen: JobObserved, state: JobState, pod: PodView, attempt: JobAttempt) -> JobActs:
    """A node that does not end a Pod in its time may do so when it is deleted, and else that is forced."""
    stop = {"metadata": {"uid": pod.uid}, "spec": {"activeDeadlineSeconds": STOP_NOW}}
    told = pod.active_limit == STOP_NOW
    patch: tuple[Act, ...] = () if told else (Patch("Pod", pod.name, stop, "its attempt has ended"),)
    grace = state.template.pod.get("terminationGracePeriodSeconds")
    patience = (DEFAULT_GRACE_SECONDS if grace is None else float(grace)) + OVERDUE_SECONDS + LINGER_SECONDS
    left = attempt.ended + patience - seen.wall
    return JobActs(patch, left) if left > 0 else _deleted(pod, "its node has not stopped it")


def _deleted(pod: PodView, why: str) -> JobActs:
    return JobActs((Delete("Pod", pod, why),))


def _joined(parts: Iterable[JobActs]) -> JobActs:
    whole = JobActs()
    for part in parts:
        whole = replace(whole, acts=(*whole.acts, *part.acts), again=sooner(whole.again, part.again))
    return whole
