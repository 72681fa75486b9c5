"""How a group moves to an edited template: one more worker than wanted, one less of the older ones, and so on."""

from collections.abc import Sequence
from dataclasses import replace

from dask_operator_api.conditions import Reason

from dask_operator.observed import PodView
from dask_operator.plan.drains import Drain
from dask_operator.plan.victims import rank
from dask_operator.plan.world import (
    RETRY_SECONDS,
    Blocked,
    Departure,
    GroupObserved,
    GroupPlan,
    Removal,
    sooner,
)

CONNECTING_SECONDS = 1.0
"""Seconds between two looks whether a new worker has found its scheduler."""


def drop_useless(
    seen: GroupObserved, plan: GroupPlan, staying: list[PodView]
) -> tuple[GroupPlan, list[PodView]]:
    """Have workers of an older template that do not run removed at once: they hold nothing, and may never start."""
    if seen.held:
        return plan, staying
    useless = [pod for pod in staying if seen.is_outdated(pod) and not pod.running]
    why = "of an older template, and not running"
    removals = tuple(Removal(pod, why, departure=Departure.EMPTY) for pod in useless)
    return replace(plan, remove=(*plan.remove, *removals)), [pod for pod in staying if pod not in useless]


def surge(seen: GroupObserved, plan: GroupPlan, staying: Sequence[PodView]) -> int:
    """How many workers more than wanted there should be: one, while older ones wait for their replacement."""
    if not seen.scheduler_lives or not seen.group.spec.worker.replicas:
        return 0
    under_way = any(drain.rollout for drain in plan.drains)
    return int(not under_way and any(seen.is_outdated(pod) for pod in staying))


def advance(seen: GroupObserved, plan: GroupPlan, staying: Sequence[PodView]) -> GroupPlan:
    """Choose the next older worker to go, once every worker of the current template is of use to the scheduler."""
    current = [pod for pod in staying if not seen.is_outdated(pod)]
    if not all(pod.ready for pod in current):
        return plan
    if not seen.fresh or seen.roster is None:
        return replace(plan, ask=True)
    if not seen.roster.reachable:
        message = f"workers of an older template stay: the scheduler does not answer: {seen.roster.problem}"
        blocked = Blocked(Reason.SCHEDULER_UNREACHABLE, message)
        return replace(plan, blocked=blocked, ask=True, again=sooner(plan.again, RETRY_SECONDS))
    if not all(seen.placement.of(pod) for pod in current):
        return replace(plan, again=sooner(plan.again, CONNECTING_SECONDS))
    oldest = rank([pod for pod in staying if seen.is_outdated(pod)], seen.placement)[0].pod
    return replace(plan, drains=(*plan.drains, Drain(oldest.uid, oldest.name, seen.wall, rollout=True)))
