"""What to do about a job: its attempts one after another, its end, and what is left of it then."""

from dataclasses import dataclass, replace

from dask_operator_api import names
from dask_operator_api.conditions import Outcome, Reason

from dask_operator.plan import backoff
from dask_operator.plan.attempts import KEPT, JobAttempt, JobState, Verdict, state_of
from dask_operator.plan.job_acts import STOP_NOW, job_acts
from dask_operator.plan.job_ending import SUCCEEDED, Ending, ending, noted
from dask_operator.plan.job_scheduler import Undecided
from dask_operator.plan.job_world import JobObserved, JobPlan
from dask_operator.plan.world import sooner

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
"""Seconds between a program's failure and the next attempt: the first, and the most that they double to."""

_REASONS = {
    Outcome.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    Outcome.START_TIMEOUT: Reason.START_TIMEOUT,
}
"""What ends the whole job, beside its program and a refusal."""


@dataclass(frozen=True)
class _Step:
    """What a job's state has come to, and what it waits for."""

    state: JobState
    ask: bool = False
    again: float | None = None
    next_at: float | None = None


def plan_job(seen: JobObserved) -> JobPlan:
    """Decide what to do about a job that is not being deleted."""
    step = _Step(state_of(seen.job))
    if step.state.verdict is None:
        step = _advanced(seen, step.state)
    state = _filled_in(seen, step.state)
    acts = job_acts(seen, state)
    return JobPlan(
        state=state,
        acts=acts.acts,
        ask=step.ask,
        again=sooner(step.again, acts.again),
        next_at=step.next_at,
        waits_for=acts.waits_for,
    )


def _advanced(seen: JobObserved, state: JobState) -> _Step:
    """One step further: the present attempt is judged, or the next one is begun when it is time."""
    present = state.present
    if present is not None:
        present = noted(seen, present)
        state = _with_last(state, present)
    done = _done_before(seen, state)
    if done is not None:
        return _Step(done)
    if present is None:
        return _between(seen, state)
    state = replace(state, started=state.started or present.started)
    found = ending(seen, present, _retries(seen, state) is None)
    if not isinstance(found, Ending):
        found = _called_off(seen, state, present) or found
    if isinstance(found, Ending):
        return _over(seen, state, present, found)
    if isinstance(found, Undecided):
        return _Step(state, ask=found.ask, again=sooner(found.again, _limits(seen, state)))
    return _Step(state, again=_limits(seen, state))


def _over(seen: JobObserved, state: JobState, present: JobAttempt, end: Ending) -> _Step:
    """The present attempt has ended: so has the job, or another attempt follows."""
    ended = replace(
        present,
        outcome=end.outcome,
        ended=max(end.at, present.began),
        exit_code=end.exit_code if end.exit_code is not None else present.exit_code,
        message=end.message,
        log=None,
    )
    failures = state.failures + (end.outcome is Outcome.PROGRAM_FAILED)
    state = replace(_with_last(state, ended), failures=failures)
    verdict = _verdict(seen, state, end)
    if verdict is not None:
        return _Step(replace(state, verdict=verdict))
    return _between(seen, state, may_begin=False)


def _done_before(seen: JobObserved, state: JobState) -> JobState | None:
    """The end of a job whose program had succeeded already when its attempt was given up for lost, or suspended.

    Nothing of an attempt after that has been made yet: first the end of the program before it has to be known.
    """
    present = state.present
    if present is not None and present.cluster_uid:
        return None
    past = state.attempts[:-1] if present is not None else state.attempts
    last = past[-1] if past else None
    if (
        last is None
        or last.outcome is None
        or not (last.outcome.is_loss or last.outcome is Outcome.SUSPENDED)
    ):
        return None
    pod = seen.runner_of(last)
    if pod is None or not pod.ended_well or (pod.active_limit == STOP_NOW and pod.phase != "Succeeded"):
        return None
    end = Ending(Outcome.SUCCEEDED, SUCCEEDED, last.ended, 0)
    ended = replace(last, outcome=end.outcome, message=end.message, exit_code=0)
    return replace(state, attempts=(*past[:-1], ended), verdict=_verdict(seen, state, end))


def _between(seen: JobObserved, state: JobState, may_begin: bool = True) -> _Step:
    """No attempt goes on: the job is suspended, out of time, waits for its next attempt, or begins it.

    ``may_begin``: whether that may be at once. After an attempt has ended, its end is stored first.
    """
    job = seen.job
    if job.spec.suspend:
        # Forgotten rather than replaced at the resume: a merge patch would keep what an edit has taken out.
        return _Step(replace(state, active_since=None, started=0.0, copied={}, copied_generation=0))
    if state.active_since is None:
        state = replace(state, active_since=seen.wall, copied=job.templates, copied_generation=job.generation)
    if _left(seen, state.active_since, job.spec.active_deadline) == 0.0:
        return _Step(replace(state, verdict=_deadline_verdict(seen)))
    wait = _pause(seen, state)
    if wait > 0 or not may_begin:
        again = sooner(wait, _left(seen, state.active_since, job.spec.active_deadline))
        return _Step(state, again=again, next_at=seen.wall + wait)
    number = state.last.number + 1 if state.last is not None else 1
    begun = JobAttempt(number, names.runner_name(job.name, number), seen.wall)
    state = replace(state, attempts=(*state.attempts, begun)[-KEPT:])
    return _Step(state, again=_limits(seen, state))


def _pause(seen: JobObserved, state: JobState) -> float:
    """Seconds until the next attempt: the longer the more often the program failed, or the platform took it."""
    last = state.last
    if last is None or last.outcome in (None, Outcome.SUSPENDED):
        return 0.0
    if last.outcome is Outcome.PROGRAM_FAILED:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(state.failures - 1, 10))
        return max(0.0, last.ended + pause - seen.wall)
    losses = [past.ended for past in state.attempts if past.outcome is not None and past.outcome.is_loss]
    return backoff.delay(losses, seen.wall)


def _called_off(seen: JobObserved, state: JobState, present: JobAttempt) -> Ending | None:
    """Why an attempt that goes on must not."""
    spec, wall = seen.job.spec, seen.wall
    if seen.refused:
        return Ending(Outcome.REFUSED, seen.refused.message, wall)
    if _left(seen, state.active_since, spec.active_deadline) == 0.0:
        return Ending(Outcome.DEADLINE_EXCEEDED, _deadline_verdict(seen).message, wall)
    if spec.suspend:
        return Ending(Outcome.SUSPENDED, "spec.suspend is true", wall)
    if not present.started and _left(seen, present.began, spec.start.timeout) == 0.0:
        waited = f"its program did not run within {spec.start.timeout:g} s (spec.startPolicy.timeoutSeconds)"
        return Ending(Outcome.START_TIMEOUT, waited, wall)
    return None


def _verdict(seen: JobObserved, state: JobState, end: Ending) -> Verdict | None:
    """Whether a job has ended with its attempt, and how."""
    if end.outcome is Outcome.SUCCEEDED:
        return Verdict(True, Reason.COMPLETED, end.message, seen.wall)
    if end.outcome is Outcome.REFUSED and seen.refused is not None:
        return Verdict(False, seen.refused.reason, end.message, seen.wall)
    if end.outcome in _REASONS:
        return Verdict(False, _REASONS[end.outcome], end.message, seen.wall)
    retries = _retries(seen, state)
    if end.outcome is not Outcome.PROGRAM_FAILED or (retries is not None and state.failures <= retries):
        return None
    if seen.job.spec.backoff_limit is None:
        return Verdict(False, Reason.PROGRAM_FAILED, end.message, seen.wall)
    message = (
        f"the program has failed {state.failures} times (spec.backoffLimit is {retries}); last: {end.message}"
    )
    return Verdict(False, Reason.BACKOFF_LIMIT_EXCEEDED, message, seen.wall)


def _deadline_verdict(seen: JobObserved) -> Verdict:
    limit = seen.job.spec.active_deadline or 0.0
    message = f"it was active for longer than {limit:g} s (spec.activeDeadlineSeconds)"
    return Verdict(False, Reason.DEADLINE_EXCEEDED, message, seen.wall)


def _retries(seen: JobObserved, state: JobState) -> int | None:
    """How many failures of the program may be followed by another attempt; None: it is restarted in place."""
    limit = seen.job.spec.backoff_limit
    if limit is not None:
        return limit
    return None if state.template.restarts_in_place else 0


def _limits(seen: JobObserved, state: JobState) -> float | None:
    """Seconds until a limit of the user's ends the present attempt."""
    spec, present = seen.job.spec, state.present
    starting = present is not None and not present.started
    return sooner(
        _left(seen, state.active_since, spec.active_deadline),
        _left(seen, present.began if present is not None and starting else None, spec.start.timeout),
    )


def _left(seen: JobObserved, since: float | None, limit: float | None) -> float | None:
    """Seconds that are left of a limit; None where there is none."""
    if since is None or limit is None:
        return None
    return max(0.0, since + limit - seen.wall)


def _with_last(state: JobState, attempt: JobAttempt) -> JobState:
    return replace(state, attempts=(*state.attempts[:-1], attempt))


def _filled_in(seen: JobObserved, state: JobState) -> JobState:
    """The exit codes of programs that were stopped, once they have ended."""

    def known(past: JobAttempt) -> JobAttempt:
        pod = seen.runner_of(past)
        if past.outcome is None or past.exit_code is not None or pod is None or not pod.finished:
            return past
        return replace(past, exit_code=pod.exit_code)

    return replace(state, attempts=tuple(known(past) for past in state.attempts))
