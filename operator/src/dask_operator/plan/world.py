"""What decisions about a group are made from, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from dask_operator_api.conditions import ConditionType, Reason, known_reason
from dask_operator_api.manifests import Manifest, items
from dask_operator_api.times import timestamp

from dask_operator.observed import ClusterView, GroupView, PodView, Roster
from dask_operator.observed.roster import Placement, placement_of
from dask_operator.plan.drains import Drain
from dask_operator.plan.replacement import Failure

RETRY_SECONDS = 10.0
"""Seconds between two attempts to retire workers that the scheduler could not let go."""

ROSTER_MAX_AGE = 2.0
"""Seconds: victims are chosen by what the scheduler said at most this long ago."""


@dataclass(frozen=True)
class Attempt:
    """A request to retire a worker that has ended."""

    at: float
    """When, in monotonic seconds."""
    failure: str = ""
    """Why the request failed; empty where the scheduler answered, whatever it could do."""


@dataclass(frozen=True)
class GroupObserved:
    """All that decisions about a group are made from."""

    group: GroupView
    cluster: ClusterView | None
    scheduler: PodView | None
    """The cluster's scheduler Pod."""
    pods: tuple[PodView, ...]
    roster: Roster | None
    """What the scheduler said last, if it was asked in its present life."""
    siblings: tuple[PodView, ...] = ()
    """Every worker Pod of the cluster, this group's among them: the roster names them all."""
    in_flight: frozenset[str] = frozenset()
    """uids of Pods for which the scheduler is at work on a request to retire."""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    """uid → the last request to retire it that has ended."""
    template: str = ""
    """The digest of what the user wants worker Pods to be made from now."""
    uncertain: frozenset[int] = frozenset()
    """Numbers of workers of whose creation nobody knows the outcome."""
    held: bool = False
    """Whether no worker is to be created for a while: the API server has just refused one of this very template, or
    is busy deleting those of an earlier cluster."""
    now: float = 0.0
    """Monotonic seconds."""
    wall: float = 0.0
    """Seconds since the epoch."""

    @property
    def scheduler_lives(self) -> bool:
        """Whether a scheduler runs: without one no worker holds a result that anybody can ask for."""
        return self.scheduler is not None and self.scheduler.serving

    def is_outdated(self, pod: PodView) -> bool:
        """Whether a worker was made from another template than the user wants now."""
        return bool(pod.digest) and pod.digest != self.template

    @property
    def fresh(self) -> bool:
        """Whether there is an answer young enough to choose by, be it that nobody answers."""
        roster = self.roster
        if roster is None or self.now - roster.arrived > ROSTER_MAX_AGE:
            return False
        return roster.with_loads or not roster.reachable

    @cached_property
    def placement(self) -> Placement:
        """Which worker processes run in which Pod."""
        return placement_of(self.roster, self.siblings or self.pods)


class Departure(Enum):
    """How it ended that a worker was to go."""

    RETIRED = "retired"
    """The scheduler had moved its results; it ended by itself, or was about to."""
    EMPTY = "empty"
    """There was nothing to retire: it did not run, or had held no result yet."""
    FORCED = "forced"
    """It was deleted with what it held: the scheduler did not let it go, or did not answer, for too long."""
    BEREFT = "bereft"
    """Its container, or the scheduler, ended before it was retired."""


@dataclass(frozen=True)
class Removal:
    """A Pod to delete, and why."""

    pod: PodView
    why: str
    lost_results: int = 0
    departure: Departure | None = None
    """None for one that nobody had chosen to go."""
    failed: bool = False
    """Whether the worker itself has."""


@dataclass(frozen=True)
class Blocked:
    """Why workers that should go cannot."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class GroupPlan:
    """What to do now. Nothing in it waits."""

    create: tuple[int, ...] = ()
    """Numbers of the workers to create."""
    last_index: int = 0
    """The highest number ever given: to be stored before any of ``create`` is made."""
    remove: tuple[Removal, ...] = ()
    drains: tuple[Drain, ...] = ()
    """Workers that are on their way out: to be stored before any of ``retire`` is asked for."""
    relabel: tuple[PodView, ...] = ()
    """Pods whose labels or annotations are not what the user wants now."""
    retire: tuple[PodView, ...] = ()
    """Pods whose workers the scheduler shall retire now."""
    blocked: Blocked | None = None
    ask: bool = False
    """Whether a fresh roster is needed."""
    unreachable_since: float | None = None
    """Since when (epoch seconds) nobody can be chosen because the scheduler does not answer."""
    failures: tuple[Failure, ...] = ()
    again: float | None = None
    """Seconds after which to look again even if nothing happens."""


def blocked_before(group: GroupView) -> Blocked | None:
    """What the group's ``DrainBlocked`` condition says, if it is True."""
    held = _drain_blocked(group)
    reason = known_reason(held.get("reason")) if held else None
    return Blocked(reason, str(held.get("message", ""))) if held and reason else None


def unreachable_since(group: GroupView) -> float | None:
    """Since when (epoch seconds) nobody could be chosen because the scheduler does not answer, as last stored."""
    return timestamp(group.status.get("unreachableSince"))


def _drain_blocked(group: GroupView) -> Manifest | None:
    for condition in items(group.status, "conditions"):
        if condition.get("type") == ConditionType.DRAIN_BLOCKED.value and condition.get("status") == "True":
            return condition
    return None


def sooner(*times: float | None) -> float | None:
    """The smallest of the times that are given."""
    given = [time for time in times if time is not None]
    return min(given) if given else None
