"""One pass over a job."""

import asyncio
from dataclasses import replace

from dask_operator_api import labels, names, passes
from dask_operator_api.conditions import Reason
from dask_operator_api.manifests import Manifest

from dask_operator.errors import ApiError, NotFound
from dask_operator.intake import is_watched
from dask_operator.observed import JobView, PodView
from dask_operator.observed.pods import pod_view
from dask_operator.plan.attempts import JobAttempt, state_of
from dask_operator.plan.job import plan_job
from dask_operator.plan.job_world import JobObserved, JobPlan, Refusal
from dask_operator.plan.world import sooner
from dask_operator.reconcile.acts import carry_out
from dask_operator.reconcile.asking import last_words_of_program, stuck
from dask_operator.reconcile.context import GONE_SECONDS, Context, as_retry
from dask_operator.reconcile.proof import look_afresh, needs_proof
from dask_operator.status import job_status
from dask_operator.status.conditions import Problem
from dask_operator.status.job import WRITTEN_AHEAD
from dask_operator.store import Key

UNSEEN_SECONDS = 10.0
"""Seconds between two looks at a runner of which no watch tells, since somebody has changed its labels."""


async def reconcile_job(context: Context, key: Key) -> float | None:
    """Bring a job one step further."""
    job = context.store.job(key.namespace, key.name)
    if job is None:
        context.forget(key)
        return None
    if job.deleting or not context.has_good_name(job):
        return None
    try:
        return await _pass(context, key, job)
    except NotFound:
        return GONE_SECONDS
    except ApiError as error:
        raise as_retry(error) from error


async def _pass(context: Context, key: Key, job: JobView) -> float | None:
    passes.found(job.generation)
    waiting = context.refusals.waiting(key, (job.generation,))
    final = next((problem for problem in waiting.problems if problem.final), None)
    unseen = await _unseen_runner(context, job)
    seen = _observe(context, job, unseen, final)
    plan = plan_job(seen)
    if needs_proof(job, plan) and await look_afresh(context, job):
        return 0.0
    plan = await _with_logs(context, seen, plan)
    present = plan.state.present
    runner = seen.runner_of(present) if present is not None else None
    trouble, soon = await stuck(context, [runner] if runner is not None else [])
    told = context.refusals.told(key, {act.kind for act in plan.acts})
    status = job_status(seen, plan, final or next(iter(told), None), trouble)
    again = await context.write_status(key, job, status, urgent=_urgent(job, status), exact=True)
    _tell(context, job, plan)
    if unseen is not None and not is_watched("Pod", unseen):
        soon = sooner(soon, UNSEEN_SECONDS)
    retry = sooner(waiting.seconds, await carry_out(context, key, job, plan.acts, waiting))
    return sooner(again, retry, soon, plan.again, _ask(context, key, seen, plan))


async def _unseen_runner(context: Context, job: JobView) -> Manifest | None:
    """The runner of the present attempt, if it is there although the watch says that it is not.

    That it is gone has to be proven: another attempt follows from it. Somebody may have taken its labels away.
    """
    present = state_of(job).present
    if present is None or not present.runner_uid:
        return None
    held = context.store.pods.objects.get((job.namespace, present.runner))
    if held is not None and held.uid == present.runner_uid:
        return None
    try:
        found = await context.kube.get("Pod", job.namespace, present.runner)
    except NotFound:
        return None
    return found if found["metadata"].get("uid") == present.runner_uid else None


def _observe(context: Context, job: JobView, unseen: Manifest | None, final: Problem | None) -> JobObserved:
    store, scheduler_at = context.store, (job.namespace, names.scheduler_name(job.name))
    related = store.pods_of(*job.identity)
    labelled = [pod for pod in related if pod.component == labels.JOB_RUNNER]
    runners = [pod for pod in labelled if pod.owner == job.uid]
    scheduler = store.pods.objects.get(scheduler_at)
    return JobObserved(
        job=job,
        cluster=store.cluster(*job.identity),
        runners=(*runners, *([pod_view(unseen)] if unseen is not None else [])),
        former=tuple(pod for pod in labelled if pod.owner != job.uid and pod.owner_kind == "DaskJob"),
        scheduler=scheduler,
        service=store.services.objects.get(scheduler_at),
        workers=tuple(pod for pod in related if pod.component == labels.WORKER),
        roster=context.desk.roster(scheduler),
        heard=context.desk.heard(scheduler),
        refused=Refusal(final.reason, final.message) if final is not None else None,
        now=context.clock(),
        wall=context.wall(),
    )


async def _with_logs(context: Context, seen: JobObserved, plan: JobPlan) -> JobPlan:
    """``plan``, with the last lines of each program that has just ended."""
    before = {past.number: past for past in state_of(seen.job).attempts}

    async def read(attempt: JobAttempt) -> JobAttempt:
        known, pod = before.get(attempt.number), seen.runner_of(attempt)
        if attempt.log is not None or pod is None or not _has_ended_anew(attempt, known):
            return attempt
        return replace(attempt, log=await last_words_of_program(context, pod, attempt.outcome is None))

    attempts = await asyncio.gather(*(read(attempt) for attempt in plan.state.attempts))
    return replace(plan, state=replace(plan.state, attempts=tuple(attempts)))


def _has_ended_anew(attempt: JobAttempt, known: JobAttempt | None) -> bool:
    restarts = known.restarts if known is not None else 0
    return attempt.outcome is not None or attempt.restarts > restarts


def _urgent(job: JobView, status: Manifest) -> bool:
    """Whether the status holds what must be stored before anything is done."""
    return any(job.status.get(name) != status[name] for name in WRITTEN_AHEAD)


def _tell(context: Context, job: JobView, plan: JobPlan) -> None:
    """Tell of attempts that have begun or ended, and of success; a failure is told with its condition."""
    state = state_of(job)
    before = {past.number: past for past in state.attempts}
    for attempt in plan.state.attempts:
        known = before.get(attempt.number)
        if known is None:
            context.recorder.tell(job, "AttemptBegins", f"attempt {attempt.number} begins")
        if attempt.outcome is not None and (known is None or known.outcome is None):
            message = f"attempt {attempt.number} has ended ({attempt.outcome}): {attempt.message}"
            bad = not (plan.state.verdict is not None and plan.state.verdict.complete)
            context.recorder.tell(job, "AttemptEnded", message, warning=bad)
    if plan.state.verdict is not None and plan.state.verdict.complete and state.verdict is None:
        context.recorder.tell(job, Reason.COMPLETED.value, plan.state.verdict.message)


def _ask(context: Context, key: Key, seen: JobObserved, plan: JobPlan) -> float | None:
    """Have the scheduler give a sign of life, where a program's failure waits for that."""
    scheduler: PodView | None = seen.scheduler
    if not plan.ask or scheduler is None or not scheduler.serving:
        return None
    return context.desk.ask(scheduler, key)
