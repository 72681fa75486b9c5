"""Who goes when a group shrinks, and how each of them is helped on its way."""

from collections.abc import Sequence
from dataclasses import replace

from dask_operator_api.conditions import Reason

from dask_operator.observed import PodView
from dask_operator.observed.roster import Placement
from dask_operator.plan.drains import Drain
from dask_operator.plan.victims import needs_scheduler, rank
from dask_operator.plan.world import (
    RETRY_SECONDS,
    Attempt,
    Blocked,
    Departure,
    GroupObserved,
    GroupPlan,
    Removal,
    blocked_before,
    sooner,
    unreachable_since,
)

SILENCE_SECONDS = 30.0
"""For so long this process must have asked a scheduler in vain before workers are deleted with what they hold."""

EXIT_SECONDS = 10.0
"""Seconds that a retired worker has to end by itself before its Pod is deleted."""

_NO_ROOM = (
    "the scheduler cannot let the chosen workers go: the remaining ones have no room for their results, or they "
    "hold an actor. Release results, add workers"
)
_LIMITED = f"{_NO_ROOM}, or wait for drainTimeoutSeconds"
_UNLIMITED = f"{_NO_ROOM}: the rollout waits, and ends none of them by force"


def shrink(seen: GroupObserved, plan: GroupPlan, staying: Sequence[PodView], excess: int) -> GroupPlan:
    """Choose ``excess`` of the workers. Those that may hold results only by what the scheduler says now."""
    safe = [pod for pod in staying if not needs_scheduler(pod) or not seen.scheduler_lives]
    chosen = [ranked.pod for ranked in rank(safe, Placement())][:excess]
    plan = replace(plan, remove=(*plan.remove, *(_safe(pod) for pod in chosen)))
    excess -= len(chosen)
    if excess == 0:
        return plan
    rest = [pod for pod in staying if pod not in chosen]
    if not seen.fresh:
        return replace(plan, ask=True, unreachable_since=unreachable_since(seen.group))
    if seen.roster is not None and not seen.roster.reachable:
        return _shrink_blind(seen, plan, rest, excess, seen.roster.problem)
    victims = rank(rest, seen.placement, seen.is_outdated)[:excess]
    drains = tuple(Drain(v.pod.uid, v.pod.name, seen.wall) for v in victims)
    return replace(plan, drains=(*plan.drains, *drains))


def _shrink_blind(
    seen: GroupObserved, plan: GroupPlan, pods: Sequence[PodView], excess: int, problem: str
) -> GroupPlan:
    """The scheduler does not answer: nobody is chosen until the user's own limit has passed."""
    limit = seen.group.spec.worker.drain_timeout
    since = unreachable_since(seen.group)
    since = seen.wall if since is None else since
    plan = replace(plan, unreachable_since=since)
    waited = seen.wall - since
    left = max(limit - waited, _unproven(seen, limit))
    if left <= 0:
        why = f"the scheduler has not answered for {waited:.0f} s"
        victims = rank(pods, Placement(), seen.is_outdated)[:excess]
        forced = tuple(Removal(v.pod, why, departure=Departure.FORCED) for v in victims)
        return replace(plan, remove=(*plan.remove, *forced))
    message = f"{excess} workers are to go, and the scheduler does not answer: {problem}"
    again = sooner(plan.again, RETRY_SECONDS, left)
    return replace(plan, blocked=Blocked(Reason.SCHEDULER_UNREACHABLE, message), ask=True, again=again)


def _unproven(seen: GroupObserved, limit: float) -> float:
    """Seconds until the scheduler's silence may cost a worker what it holds.

    The user's limit counts from what a status says, and may have passed while nobody asked: one question in vain
    is no silence.
    """
    assert seen.roster is not None
    return min(limit, SILENCE_SECONDS) - (seen.now - seen.roster.silent_since)


def advance_drains(seen: GroupObserved, plan: GroupPlan) -> GroupPlan:
    """Take each worker that is to go one step further."""
    pods = {pod.uid: pod for pod in seen.pods if pod.alive}
    for drain in plan.drains:
        pod = pods.get(drain.uid)
        if pod is None or pod.uid in seen.in_flight:
            continue
        if not pod.running or not seen.scheduler_lives:
            why = "its results went with its container or its scheduler"
            plan = replace(plan, remove=(*plan.remove, Removal(pod, why, departure=Departure.BEREFT)))
        elif not informed(seen, drain):
            plan = replace(plan, ask=True)
        else:
            plan = _advance(seen, plan, drain, pod)
    return _still_blocked(seen, plan)


def _attempt(seen: GroupObserved, drain: Drain) -> Attempt | None:
    """The last attempt to retire the drain's workers since they were chosen; one before that says nothing."""
    attempt = seen.attempts.get(drain.uid)
    if attempt is None or seen.wall - (seen.now - attempt.at) < int(drain.since):
        return None
    return attempt


def informed(seen: GroupObserved, drain: Drain) -> bool:
    """Whether the roster is young, and younger than the last attempt to retire the drain's workers."""
    attempt = _attempt(seen, drain)
    asked = seen.roster.taken if seen.roster is not None else 0.0
    return seen.fresh and (attempt is None or asked >= attempt.at)


def _advance(seen: GroupObserved, plan: GroupPlan, drain: Drain, pod: PodView) -> GroupPlan:
    assert seen.roster is not None
    attempt = _attempt(seen, drain)
    workers = seen.placement.of(pod)
    if seen.roster.reachable and not workers:
        return _let_go(seen, plan, drain, pod)
    blocked = _why_blocked(seen.roster.problem, attempt, drain)
    limit = seen.group.spec.worker.drain_timeout
    left = None if drain.rollout else drain.since + limit - seen.wall
    if left is not None and not seen.roster.reachable:
        left = max(left, _unproven(seen, limit))
    if blocked is not None and left is not None and left <= 0:
        why = f"not retired within drainTimeoutSeconds ({limit:.0f})"
        lost = sum(worker.results for worker in workers)
        return replace(plan, remove=(*plan.remove, Removal(pod, why, lost, Departure.FORCED)))
    if blocked is not None:
        again = sooner(plan.again, RETRY_SECONDS, left)
        plan = replace(plan, blocked=plan.blocked or blocked, again=again, ask=not seen.roster.reachable)
    if seen.roster.reachable and (attempt is None or seen.now - attempt.at >= RETRY_SECONDS):
        plan = replace(plan, retire=(*plan.retire, pod))
    return plan


def _why_blocked(unreachable: str, attempt: Attempt | None, drain: Drain) -> Blocked | None:
    """Why a worker that the scheduler still has does not go; None if it was not tried yet."""
    if unreachable:
        return Blocked(Reason.SCHEDULER_UNREACHABLE, f"the scheduler does not answer: {unreachable}")
    if attempt is None:
        return None
    if attempt.failure:
        return Blocked(Reason.SCHEDULER_UNREACHABLE, f"the scheduler could not be asked: {attempt.failure}")
    return Blocked(Reason.NO_ROOM_FOR_RESULTS, _UNLIMITED if drain.rollout else _LIMITED)


def _let_go(seen: GroupObserved, plan: GroupPlan, drain: Drain, pod: PodView) -> GroupPlan:
    """The scheduler does not have the worker: once retired, its container ends by itself within seconds.

    One that was never asked to retire was unknown when it was chosen, and may have connected since: it goes when a
    roster taken after the choice does not have it either.
    """
    assert seen.roster is not None
    attempt = _attempt(seen, drain)
    chosen_ago = seen.wall - drain.since - 1.0  # what is stored is cut to full seconds
    if attempt is None and chosen_ago <= 0:
        return replace(plan, again=sooner(plan.again, 1.0 - chosen_ago))
    if attempt is None and seen.now - seen.roster.taken >= chosen_ago:
        return replace(plan, ask=True)
    left = 0.0 if attempt is None else attempt.at + EXIT_SECONDS - seen.now
    if left > 0:
        return replace(plan, again=sooner(plan.again, left))
    gone = Removal(pod, "retired", departure=Departure.RETIRED) if attempt else _empty(pod)
    return replace(plan, remove=(*plan.remove, gone))


def _safe(pod: PodView) -> Removal:
    """What needs no scheduler to go, or has none any more."""
    if not needs_scheduler(pod):
        return _empty(pod)
    return Removal(pod, "its results went with its scheduler", departure=Departure.BEREFT)


def _empty(pod: PodView) -> Removal:
    return Removal(pod, "never held results", departure=Departure.EMPTY)


def _still_blocked(seen: GroupObserved, plan: GroupPlan) -> GroupPlan:
    """While an answer is awaited, what was said before still stands."""
    awaited = plan.ask or bool(seen.in_flight) or bool(plan.retire)
    if plan.blocked is None and awaited:
        return replace(plan, blocked=blocked_before(seen.group))
    return plan
