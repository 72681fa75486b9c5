"""What to do about the workers of one group."""

from dataclasses import replace

from dask_operator_api.kinds import Kind

from dask_operator.desired import worker_metadata
from dask_operator.observed import ClusterView, GroupView, PodView
from dask_operator.plan import replacement, rollout
from dask_operator.plan.drains import Drain, drains_in_status
from dask_operator.plan.shrinking import advance_drains, informed, shrink
from dask_operator.plan.world import Departure, GroupObserved, GroupPlan, Removal, sooner


def belongs(group: GroupView, cluster: ClusterView | None) -> bool:
    """Whether workers may be made for ``group``: its cluster is there, is not going, and owns it."""
    return cluster is not None and not cluster.deleting and not group.deleting and group.owner == cluster.uid


def is_foreign(group: GroupView, cluster: ClusterView) -> bool:
    """Whether a group is controlled by something that is no cluster; one that an earlier cluster had goes with that."""
    return group.owner not in ("", cluster.uid) and group.owner_kind != Kind.CLUSTER.value


def plan_group(seen: GroupObserved) -> GroupPlan:
    """Decide what to do about the workers of a group whose cluster is there."""
    finished = [pod for pod in seen.pods if pod.finished and not pod.deleting]
    staying_pods = {pod.uid for pod in seen.pods if not pod.deleting}
    drains = tuple(drain for drain in drains_in_status(seen.group) if drain.uid in staying_pods)
    leaving = {drain.uid for drain in drains}
    stamp = worker_metadata(seen.group).stamp
    plan = GroupPlan(
        remove=tuple(_finished(pod, pod.uid in leaving) for pod in finished),
        drains=drains,
        last_index=_last_index(seen),
        failures=replacement.failures(seen.group, seen.pods, leaving, seen.scheduler, seen.wall),
        relabel=tuple(pod for pod in seen.pods if pod.alive and pod.handed_down != stamp),
    )
    staying = [pod for pod in seen.pods if pod.alive and pod.uid not in leaving]
    plan, staying = rollout.drop_useless(seen, plan, staying)
    return advance_drains(seen, _with_right_number(seen, plan, staying))


def _with_right_number(seen: GroupObserved, plan: GroupPlan, staying: list[PodView]) -> GroupPlan:
    """Grow or shrink to what is wanted; where that is reached, take the rollout one step further."""
    wanted = seen.group.spec.worker.replicas
    surge = rollout.surge(seen, plan, staying)
    excess = len(staying) - wanted - surge
    if excess > 0:
        return shrink(seen, plan, staying, excess)
    if excess < 0:
        return _grow(seen, plan, max(0, wanted - len(staying)), surge)
    if not surge:
        return plan
    if all(seen.is_outdated(pod) for pod in staying):
        return shrink(seen, plan, staying, surge)  # one too many before any replacement: fewer were asked for
    return rollout.advance(seen, plan, staying)


def _finished(pod: PodView, leaving: bool) -> Removal:
    if leaving and pod.ended_well:
        return Removal(pod, "retired", departure=Departure.RETIRED)
    if leaving:
        return Removal(pod, "failed before it was retired", departure=Departure.BEREFT, failed=True)
    if pod.exit_code == 0:
        return Removal(pod, "ended by itself")
    return Removal(pod, "failed", failed=True)


def _last_index(seen: GroupObserved) -> int:
    stored = int(seen.group.status.get("lastWorkerIndex") or 0)
    return max([stored, *(pod.index for pod in seen.pods)])


def _grow(seen: GroupObserved, plan: GroupPlan, missing: int, surge: int) -> GroupPlan:
    """Keep workers that were to go and still can stay; create the rest, and those of the ``surge``."""
    refused, undecided = _refused(seen, plan) if missing else ([], False)
    if undecided:
        return replace(plan, ask=True)
    kept = {drain.uid for drain in refused[:missing]}
    drains = tuple(drain for drain in plan.drains if drain.uid not in kept)
    plan = replace(plan, drains=_no_longer_unwanted(seen, drains) if missing else drains)
    missing += surge - len(kept)
    return _create(seen, plan, missing) if missing else plan


def _no_longer_unwanted(seen: GroupObserved, drains: tuple[Drain, ...]) -> tuple[Drain, ...]:
    """Once more workers are wanted again, those of an older template go for the sake of the rollout only."""
    outdated = {pod.uid for pod in seen.pods if seen.is_outdated(pod)}
    return tuple(replace(drain, rollout=drain.rollout or drain.uid in outdated) for drain in drains)


def _create(seen: GroupObserved, plan: GroupPlan, missing: int) -> GroupPlan:
    """Create workers under new numbers; first those of whose creation nobody knows the outcome, under their own.

    The first workers of a group start beside their scheduler. Later ones wait until it runs: with nobody to
    connect to, a worker that ends by itself would be replaced without end.
    """
    if seen.held or (plan.last_index and not seen.scheduler_lives):
        return plan
    wait = replacement.delay(plan.failures, seen.template, seen.wall)
    if wait > 0:
        return replace(plan, again=sooner(plan.again, wait))
    known = {pod.index for pod in seen.pods}
    repeated = sorted(seen.uncertain - known)[:missing]
    fresh = range(plan.last_index + 1, plan.last_index + 1 + missing - len(repeated))
    return replace(plan, create=(*repeated, *fresh), last_index=plan.last_index + len(fresh))


def _refused(seen: GroupObserved, plan: GroupPlan) -> tuple[list[Drain], bool]:
    """The workers that were to go and that the scheduler still has, or may have, and whether it must be asked first.

    Those of an older template are on their way out whatever the number of workers is.
    """
    alive = {pod.uid: pod for pod in seen.pods if pod.alive and not seen.is_outdated(pod)}
    waiting = [drain for drain in plan.drains if drain.uid in alive and drain.uid not in seen.in_flight]
    if not waiting or not seen.scheduler_lives:
        return [], False
    if not all(informed(seen, drain) for drain in waiting):
        return [], True
    if seen.roster is not None and not seen.roster.reachable:
        # Nobody knows, and one that was retired after all ends by itself and is replaced.
        return waiting, False
    return [drain for drain in waiting if seen.placement.of(alive[drain.uid])], False
