"""The rules of ``behavior``, as the HorizontalPodAutoscaler has them: windows, policies, tolerance."""

import math
from collections.abc import Iterable

from dask_operator_api.autoscaling import Policy, PolicyType, Rules, SelectPolicy

from dask_operator_autoscaler.decide.memory import Samples

SHORTEST_WINDOW = 10.0
USUAL_WINDOW = 30.0
LONGEST_WINDOW = 300.0
SOON = 10.0
SPARE = 0.15


def down_window(rules: Rules, start_seconds: float | None, regrets: int, working: bool) -> float:
    """Seconds that a smaller wish must have stood before workers go.

    Where the user has not said: 30 s while there is work, whose amount goes up and down. Where there is none, as long
    as a worker takes to come, from 10 to 30 s, since then keeping an idle worker costs as much as starting another.
    Each time that workers were let go and wanted again soon after doubles it, twice at most. The numbers are those
    that hold the bars of the simulation in ``tests/simulation``.
    """
    if rules.window is not None:
        return rules.window
    first = USUAL_WINDOW if working else min(USUAL_WINDOW, max(SHORTEST_WINDOW, start_seconds or 0.0))
    return min(LONGEST_WINDOW, first * 2.0**regrets)


def soon(window: float) -> float:
    """Seconds within which workers that were let go should not have been, if they are wanted again."""
    return SOON * window


def up_window(rules: Rules) -> float:
    """Seconds that a greater wish must have stood before workers are asked for: none unless the user says so."""
    return rules.window or 0.0


def tolerated(rules: Rules, current: int, wanted: int) -> bool:
    """Whether the difference is too small to act on: none is, where the user has not said."""
    return current > 0 and abs(wanted / current - 1) <= (rules.tolerance or 0.0)


def with_spare(rules: Rules, wanted: int, working: bool) -> int:
    """How many workers a group is left with that shrinks, where ``wanted`` were the most that it could use.

    Where the user has not said, a group that has work keeps up to 15 % more: workers that are used to the full have no
    answer to the next task, and the number would go up and down.
    """
    return math.floor(wanted * (1 + SPARE)) if rules.tolerance is None and working else wanted


def highest_allowed(rules: Rules, current: int, changes: Samples, now: float) -> int | None:
    """The most workers that the policies of ``scaleUp`` allow now; None: any number.

    From none, a policy by per cent allows one: otherwise nothing would ever wake.
    """
    if rules.select is SelectPolicy.DISABLED:
        return current
    if not rules.policies:
        return None
    starts = _period_starts(rules.policies, current, changes, now)
    tops = [max(1, _up(policy, start)) for policy, start in starts]
    return max(current, max(tops) if rules.select is SelectPolicy.MAX else min(tops))


def lowest_allowed(rules: Rules, current: int, changes: Samples, now: float) -> int:
    """The fewest workers that the policies of ``scaleDown`` allow now."""
    if rules.select is SelectPolicy.DISABLED:
        return current
    if not rules.policies:
        return 0
    starts = _period_starts(rules.policies, current, changes, now)
    bottoms = [max(0, _down(policy, start)) for policy, start in starts]
    return min(current, min(bottoms) if rules.select is SelectPolicy.MAX else max(bottoms))


def longest_period(*rules: Rules) -> float:
    """Seconds for which changes have to be remembered."""
    return max((policy.period for rule in rules for policy in rule.policies), default=0.0)


def _period_starts(
    policies: Iterable[Policy], current: int, changes: Samples, now: float
) -> list[tuple[Policy, int]]:
    """Each policy with the number of workers there was when its present period began."""
    return [
        (policy, current - sum(change.value for change in changes if now - change.at < policy.period))
        for policy in policies
    ]


def _up(policy: Policy, start: int) -> int:
    if policy.type is PolicyType.PODS:
        return start + policy.value
    return math.ceil(start * (1 + policy.value / 100))


def _down(policy: Policy, start: int) -> int:
    if policy.type is PolicyType.PODS:
        return start - policy.value
    return int(start * (1 - policy.value / 100))
