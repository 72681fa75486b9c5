"""The decision itself."""

from dataclasses import dataclass, replace

from dask_operator_api.autoscaling import AutoscalerSpec, Rules
from dask_operator_api.conditions import Reason

from dask_operator_autoscaler.decide import behavior
from dask_operator_autoscaler.decide.memory import Memory


@dataclass(frozen=True)
class Demand:
    """What the scheduler's answers come to for one group."""

    wish: int
    """Workers the group should have for the work there is."""
    floor: int = 0
    """Workers that have to stay, whatever the wish."""
    why_floor: Reason = Reason.WORKERS_IN_USE
    """Why they have to stay."""


@dataclass(frozen=True)
class Observed:
    """What is true of a group at one moment."""

    replicas: int
    """Workers that are asked for: those connected and those on their way."""
    connected: int
    """Workers that the scheduler knows."""
    demand: Demand | None
    """None: the scheduler does not answer, so nobody knows."""
    unplaceable: Reason | None = None
    """Why workers of the group cannot be placed, if so."""


@dataclass(frozen=True)
class Decision:
    """How many workers, and why."""

    replicas: int
    able: Reason
    """Reason of the condition AbleToScale, which is True."""
    limited: Reason
    """Reason of the condition ScalingLimited, which is False for ``DesiredWithinRange`` only."""
    wish: int | None
    """What the work alone would have asked for; None where nobody knows."""
    memory: Memory
    again: float
    """Seconds until the next look is due."""

    @property
    def settled_by(self) -> Reason:
        """The one reason that says most of how the number came about."""
        return self.able if self.limited is Reason.DESIRED_WITHIN_RANGE else self.limited


@dataclass(frozen=True)
class _Draft:
    """A number on its way through the rules. The last rule that changes it is the one that is told."""

    number: int
    able: Reason = Reason.READY_FOR_NEW_SCALE
    limited: Reason = Reason.DESIRED_WITHIN_RANGE

    def limit(self, number: int, why: Reason) -> "_Draft":
        return self if number == self.number else replace(self, number=number, limited=why)


def decide(spec: AutoscalerSpec, seen: Observed, memory: Memory, now: float) -> Decision:
    """How many workers the group gets now.

    Promises: the number lies within ``minimum`` and ``maximum``. Inside these it grows at once with the wish, but
    not while workers cannot be placed; it falls only to the greatest wish of a whole window, never below the
    demand's floor, and not at all while the scheduler does not answer.

    Args:
        spec: what the user wants.
        seen: what is true now.
        memory: what the last decision handed over.
        now: epoch seconds.
    """
    memory = memory.seeing(now, seen.connected, seen.unplaceable is not None)
    draft = _Draft(seen.replicas)
    if seen.demand is not None:
        memory, draft = _by_demand(spec, seen, seen.demand, memory, now)
    draft = _bounded(spec, draft)
    if draft.number != seen.replicas and not spec.dry_run:
        kept = max(behavior.longest_period(spec.scale_up, spec.scale_down), memory.start_seconds or 0.0)
        if draft.number > seen.replicas:
            memory = memory.regretting(now, behavior.soon(_windows(spec, memory, True)[1]))
        memory = memory.changing(now, seen.replicas, draft.number, kept)
    wish = seen.demand.wish if seen.demand is not None else None
    again = _again(spec, draft, memory, now, bool(wish))
    return Decision(draft.number, draft.able, draft.limited, wish, memory, again)


def _by_demand(
    spec: AutoscalerSpec, seen: Observed, demand: Demand, memory: Memory, now: float
) -> tuple[Memory, _Draft]:
    """What the work asks for, held against every rule but the outermost bounds."""
    wish = _clamped(spec, demand.wish)
    if memory.silent(now) > SILENT_INTERVALS * spec.interval:
        memory = memory.resumed(now)  # what was wished in between nobody knows: the window starts anew
    up, down = _windows(spec, memory, demand.wish > 0)
    longest_down = behavior.LONGEST_WINDOW if spec.scale_down.window is None else down
    memory = memory.wishing(now, wish, max(up, longest_down))
    if wish > seen.replicas:
        draft = _risen(seen.replicas, wish, memory.lowest(now, up))
    else:
        highest, working = memory.highest(now, down), demand.wish > 0
        draft = _fallen(spec.scale_down, seen.replicas, wish, highest, working)
    if wish != demand.wish:
        bound = Reason.TOO_MANY_REPLICAS if wish < demand.wish else Reason.TOO_FEW_REPLICAS
        draft = replace(draft, limited=bound)
    if draft.number > seen.replicas:
        return memory, _rising(spec.scale_up, seen, draft, memory, now)
    if draft.number < seen.replicas:
        return memory, _falling(spec.scale_down, seen, demand, draft, memory, now)
    return memory, draft


def _windows(spec: AutoscalerSpec, memory: Memory, working: bool) -> tuple[float, float]:
    return behavior.up_window(spec.scale_up), behavior.down_window(
        spec.scale_down, memory.start_seconds, memory.regrets, working
    )


def _risen(current: int, wish: int, lowest: int) -> _Draft:
    """A greater wish as far as it has stood for its window."""
    number = max(current, lowest)
    return _Draft(number, Reason.READY_FOR_NEW_SCALE if number == wish else Reason.SCALE_UP_STABILIZED)


def _fallen(rules: Rules, current: int, wish: int, highest: int, working: bool) -> _Draft:
    """A smaller wish, with what is kept to spare, as far as it has stood for its window."""
    goal = min(current, behavior.with_spare(rules, wish, working))
    number = min(current, behavior.with_spare(rules, highest, working))
    return _Draft(number, Reason.READY_FOR_NEW_SCALE if number == goal else Reason.SCALE_DOWN_STABILIZED)


def _rising(rules: Rules, seen: Observed, draft: _Draft, memory: Memory, now: float) -> _Draft:
    if behavior.tolerated(rules, seen.replicas, draft.number):
        return replace(draft, number=seen.replicas)
    top = behavior.highest_allowed(rules, seen.replicas, memory.changes, now)
    if top is not None:
        draft = draft.limit(min(draft.number, top), Reason.SCALE_UP_LIMIT)
    if seen.unplaceable is not None:
        draft = draft.limit(seen.replicas, seen.unplaceable)
    return draft


def _falling(
    rules: Rules, seen: Observed, demand: Demand, draft: _Draft, memory: Memory, now: float
) -> _Draft:
    if behavior.tolerated(rules, seen.replicas, draft.number):
        return replace(draft, number=seen.replicas)
    bottom = behavior.lowest_allowed(rules, seen.replicas, memory.changes, now)
    draft = draft.limit(max(draft.number, bottom), Reason.SCALE_DOWN_LIMIT)
    floor = min(seen.replicas, demand.floor)
    return draft.limit(max(draft.number, floor), demand.why_floor)


def _bounded(spec: AutoscalerSpec, draft: _Draft) -> _Draft:
    """The user's bounds hold at once, whatever else is known or not."""
    number = _clamped(spec, draft.number)
    why = Reason.TOO_MANY_REPLICAS if number < draft.number else Reason.TOO_FEW_REPLICAS
    return draft.limit(number, why)


def _clamped(spec: AutoscalerSpec, number: int) -> int:
    return max(min(number, spec.maximum), spec.minimum)


SILENT_INTERVALS = 3.0

ASLEEP_INTERVAL = 1.0
"""Seconds between two looks at a cluster without workers: waking up is what people wait for."""


def _again(spec: AutoscalerSpec, draft: _Draft, memory: Memory, now: float, working: bool) -> float:
    """The next look is due after an interval, or sooner when a window ends before."""
    interval = spec.interval if draft.number else min(spec.interval, ASLEEP_INTERVAL)
    if draft.able is not Reason.SCALE_DOWN_STABILIZED or not memory.highs:
        return interval
    ends = memory.highs[0].at + _windows(spec, memory, working)[1] - now
    return min(interval, max(ends, ASLEEP_INTERVAL))
