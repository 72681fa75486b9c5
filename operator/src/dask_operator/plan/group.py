"""What to do about the workers of one group."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dask_operator_api.conditions import Reason

from dask_operator.observed import ClusterView, GroupView, PodView, Roster
from dask_operator.observed.objects import timestamp
from dask_operator.observed.roster import Placement, placement_of
from dask_operator.plan import replacement
from dask_operator.plan.drains import Drain, drains_in_status
from dask_operator.plan.victims import needs_scheduler, rank

ROSTER_MAX_AGE = 2.0
"""Seconds: victims are chosen by what the scheduler said at most this long ago."""

RETRY_SECONDS = 10.0
"""Seconds between two attempts to retire workers that the scheduler could not let go."""

EXIT_SECONDS = 10.0
"""Seconds that a retired worker has to end by itself before its Pod is deleted."""


@dataclass(frozen=True)
class GroupObserved:
    """All that decisions about a group are made from."""

    group: GroupView
    cluster: ClusterView | None
    scheduler: PodView | None
    """The scheduler Pod of the cluster's present life."""
    pods: tuple[PodView, ...]
    roster: Roster | None
    """What the scheduler said last, if it was asked in its present life."""
    in_flight: frozenset[str] = frozenset()
    """uids of Pods for which the scheduler is at work on a request to retire."""
    answered: Mapping[str, float] = field(default_factory=dict)
    """uid → when the last request to retire it was answered (monotonic seconds)."""
    uncertain: frozenset[int] = frozenset()
    """Numbers of workers whose creation nobody knows the outcome of."""
    now: float = 0.0
    """Monotonic seconds."""
    wall: float = 0.0
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Removal:
    """A Pod to delete, and why."""

    pod: PodView
    why: str
    lost_results: int = 0


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
    retire: tuple[PodView, ...] = ()
    """Pods whose workers the scheduler shall retire now."""
    blocked: Blocked | None = None
    ask: bool = False
    """Whether a fresh roster is needed."""
    failures: tuple[replacement.Failure, ...] = ()
    again: float | None = None
    """Seconds after which to look again even if nothing happens."""


def belongs(group: GroupView, cluster: ClusterView | None) -> bool:
    """Whether workers may be made for ``group``: its cluster is there, is not going, and owns it."""
    return cluster is not None and not cluster.deleting and not group.deleting and group.owner == cluster.uid


def plan_group(seen: GroupObserved) -> GroupPlan:
    """Decide what to do about the workers of a group whose cluster is there."""
    finished = [pod for pod in seen.pods if pod.finished and not pod.deleting]
    alive = {pod.uid: pod for pod in seen.pods if pod.alive}
    stored = drains_in_status(seen.group)
    drains = tuple(drain for drain in stored if drain.uid in alive)
    plan = GroupPlan(
        remove=tuple(Removal(pod, _why_finished(pod, stored)) for pod in finished),
        drains=drains,
        last_index=_last_index(seen),
        failures=replacement.failures(
            seen.group, finished, {drain.uid for drain in stored}, seen.scheduler, seen.wall
        ),
    )
    leaving = {drain.uid for drain in drains}
    staying = [pod for pod in alive.values() if pod.uid not in leaving]
    excess = len(staying) - seen.group.spec.worker.replicas
    if excess > 0:
        plan = _shrink(seen, plan, staying, excess)
    elif excess < 0:
        plan = _grow(seen, plan, alive, -excess)
    return _advance_drains(seen, plan, alive)


def _why_finished(pod: PodView, drains: tuple[Drain, ...]) -> str:
    if any(drain.uid == pod.uid for drain in drains):
        return "retired"
    return "ended by itself" if pod.exit_code == 0 else "failed"


def _last_index(seen: GroupObserved) -> int:
    stored = int(seen.group.status.get("lastWorkerIndex") or 0)
    return max([stored, *(pod.index for pod in seen.pods)])


# -- growing


def _grow(seen: GroupObserved, plan: GroupPlan, alive: Mapping[str, PodView], missing: int) -> GroupPlan:
    """Keep workers that were to go and still can stay; create the rest, under new numbers."""
    if (
        any(drain.uid not in seen.in_flight for drain in plan.drains)
        and _scheduler_lives(seen)
        and not _fresh(seen)
    ):
        return replace(plan, ask=True)
    if plan.last_index and not _scheduler_lives(seen):
        return (
            plan  # the first workers start beside their scheduler; later ones would have nobody to connect to
        )
    kept, plan = _kept_after_all(seen, plan, alive, missing)
    missing -= kept
    wait = replacement.delay(plan.failures, seen.wall)
    if missing == 0 or wait > 0:
        return replace(plan, again=_sooner(plan.again, wait or None))
    known = {pod.index for pod in seen.pods}
    repeated = sorted(seen.uncertain - known)[:missing]
    fresh = range(plan.last_index + 1, plan.last_index + 1 + missing - len(repeated))
    return replace(plan, create=(*repeated, *fresh), last_index=plan.last_index + len(fresh))


def _kept_after_all(
    seen: GroupObserved, plan: GroupPlan, alive: Mapping[str, PodView], missing: int
) -> tuple[int, GroupPlan]:
    placement = _placement(seen)
    stay: set[str] = set()
    for drain in plan.drains:
        refused = bool(placement.of(alive[drain.uid])) and drain.uid not in seen.in_flight
        if len(stay) < missing and refused:
            stay.add(drain.uid)
    return len(stay), replace(plan, drains=tuple(drain for drain in plan.drains if drain.uid not in stay))


# -- shrinking


def _shrink(seen: GroupObserved, plan: GroupPlan, staying: list[PodView], excess: int) -> GroupPlan:
    """Choose who goes. Workers that may hold results are only chosen by what the scheduler says now."""
    safe = [pod for pod in staying if not needs_scheduler(pod) or not _scheduler_lives(seen)]
    chosen = [ranked.pod for ranked in rank(safe, Placement())][:excess]
    plan = replace(plan, remove=(*plan.remove, *(Removal(pod, "never held results") for pod in chosen)))
    excess -= len(chosen)
    if excess == 0:
        return plan
    rest = [pod for pod in staying if pod not in chosen]
    if not _fresh(seen):
        return replace(plan, ask=True)
    if seen.roster is not None and not seen.roster.reachable:
        return _shrink_blind(seen, plan, rest, excess)
    victims = rank(rest, _placement(seen))[:excess]
    drains = tuple(Drain(v.pod.uid, v.pod.name, seen.wall) for v in victims)
    return replace(plan, drains=(*plan.drains, *drains))


def _shrink_blind(seen: GroupObserved, plan: GroupPlan, pods: list[PodView], excess: int) -> GroupPlan:
    """The scheduler does not answer: nobody is chosen until the user's own limit has passed."""
    assert seen.roster is not None
    limit = seen.group.spec.worker.drain_timeout
    since = blocked_since(seen.group)
    waited = 0.0 if since is None else seen.wall - since
    if waited < limit:
        message = f"{excess} workers are to go, and the scheduler does not answer: {seen.roster.problem}"
        plan = replace(plan, blocked=Blocked(Reason.SCHEDULER_UNREACHABLE, message), ask=True)
        return replace(plan, again=_sooner(plan.again, min(RETRY_SECONDS, limit - waited)))
    why = f"the scheduler has not answered for {waited:.0f} s"
    victims = rank(pods, Placement())[:excess]
    return replace(plan, remove=(*plan.remove, *(Removal(v.pod, why) for v in victims)))


# -- workers on their way out


def _advance_drains(seen: GroupObserved, plan: GroupPlan, alive: Mapping[str, PodView]) -> GroupPlan:
    """Take each worker that is to go one step further."""
    for drain in plan.drains:
        pod = alive[drain.uid]
        if pod.uid in seen.in_flight:
            continue
        if not pod.running or not _scheduler_lives(seen):
            plan = replace(plan, remove=(*plan.remove, Removal(pod, "its results went with its container")))
        elif not _fresh(seen):
            plan = replace(plan, ask=True)
        else:
            plan = _advance(seen, plan, drain, pod)
    return plan


def _advance(seen: GroupObserved, plan: GroupPlan, drain: Drain, pod: PodView) -> GroupPlan:
    assert seen.roster is not None
    limit = seen.group.spec.worker.drain_timeout
    left = drain.since + limit - seen.wall
    answered = seen.answered.get(pod.uid)
    workers = _placement(seen).of(pod)
    if seen.roster.reachable and not workers:
        return _await_exit(seen, plan, pod, answered)
    tried = answered is not None or not seen.roster.reachable
    if tried and left <= 0:
        lost = sum(worker.results for worker in workers)
        why = f"not retired within drainTimeoutSeconds ({limit:.0f})"
        return replace(plan, remove=(*plan.remove, Removal(pod, why, lost)))
    again = _sooner(plan.again, min(RETRY_SECONDS, max(left, 0.1)))
    if not seen.roster.reachable:
        blocked = Blocked(
            Reason.SCHEDULER_UNREACHABLE, f"the scheduler does not answer: {seen.roster.problem}"
        )
        return replace(plan, blocked=blocked, ask=True, again=again)
    if answered is not None:
        plan = replace(plan, blocked=_no_room(plan), again=again)
    if answered is None or seen.now - answered >= RETRY_SECONDS:
        plan = replace(plan, retire=(*plan.retire, pod))
    return plan


def _no_room(plan: GroupPlan) -> Blocked:
    message = (
        "the scheduler cannot let the chosen workers go: the remaining ones have no room for their results, or "
        "they hold an actor. Release results, add workers, or wait for drainTimeoutSeconds"
    )
    return plan.blocked or Blocked(Reason.NO_ROOM_FOR_RESULTS, message)


def _await_exit(seen: GroupObserved, plan: GroupPlan, pod: PodView, answered: float | None) -> GroupPlan:
    """The scheduler has let the worker go: its container ends by itself within seconds."""
    waited = EXIT_SECONDS if answered is None else seen.now - answered
    if waited >= EXIT_SECONDS:
        return replace(plan, remove=(*plan.remove, Removal(pod, "retired")))
    return replace(plan, again=_sooner(plan.again, EXIT_SECONDS - waited))


# -- shared


def blocked_since(group: GroupView) -> float | None:
    """Since when (epoch seconds) the group's ``DrainBlocked`` condition is True; None where it is not."""
    for condition in group.status.get("conditions") or ():
        if condition.get("type") == "DrainBlocked" and condition.get("status") == "True":
            return timestamp(condition.get("lastTransitionTime"))
    return None


def _scheduler_lives(seen: GroupObserved) -> bool:
    """Whether a scheduler runs: without one no worker holds a result that anybody can ask for."""
    return seen.scheduler is not None and seen.scheduler.running


def _fresh(seen: GroupObserved) -> bool:
    """Whether there is an answer young enough to choose by, be it that nobody answers."""
    roster = seen.roster
    if roster is None or seen.now - roster.taken > ROSTER_MAX_AGE:
        return False
    return roster.with_loads or not roster.reachable


def _placement(seen: GroupObserved) -> Placement:
    return placement_of(seen.roster, seen.pods)


def _sooner(one: float | None, other: float | None) -> float | None:
    times = [time for time in (one, other) if time is not None]
    return min(times) if times else None
