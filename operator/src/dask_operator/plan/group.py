"""What to do about the workers of one group."""

from dataclasses import replace

from dask_operator.desired import worker_digest
from dask_operator.observed import ClusterView, GroupView, PodView
from dask_operator.plan import replacement
from dask_operator.plan.drains import Drain, drains_in_status
from dask_operator.plan.shrinking import advance_drains, informed, shrink
from dask_operator.plan.world import GroupObserved, GroupPlan, Removal, sooner


def belongs(group: GroupView, cluster: ClusterView | None) -> bool:
    """Whether workers may be made for ``group``: its cluster is there, is not going, and owns it."""
    return cluster is not None and not cluster.deleting and not group.deleting and group.owner == cluster.uid


def plan_group(seen: GroupObserved) -> GroupPlan:
    """Decide what to do about the workers of a group whose cluster is there."""
    finished = [pod for pod in seen.pods if pod.finished and not pod.deleting]
    staying_pods = {pod.uid for pod in seen.pods if not pod.deleting}
    drains = tuple(drain for drain in drains_in_status(seen.group) if drain.uid in staying_pods)
    leaving = {drain.uid for drain in drains}
    plan = GroupPlan(
        remove=tuple(Removal(pod, _why_finished(pod, leaving)) for pod in finished),
        drains=drains,
        last_index=_last_index(seen),
        failures=replacement.failures(seen.group, finished, leaving, seen.scheduler, seen.wall),
    )
    staying = [pod for pod in seen.pods if pod.alive and pod.uid not in leaving]
    excess = len(staying) - seen.group.spec.worker.replicas
    if excess > 0:
        plan = shrink(seen, plan, staying, excess)
    elif excess < 0:
        plan = _grow(seen, plan, -excess)
    return advance_drains(seen, plan)


def _why_finished(pod: PodView, leaving: set[str]) -> str:
    if pod.uid in leaving:
        return "retired"
    return "ended by itself" if pod.exit_code == 0 else "failed"


def _last_index(seen: GroupObserved) -> int:
    stored = int(seen.group.status.get("lastWorkerIndex") or 0)
    return max([stored, *(pod.index for pod in seen.pods)])


def _grow(seen: GroupObserved, plan: GroupPlan, missing: int) -> GroupPlan:
    """Keep workers that were to go and still can stay; create the rest."""
    refused, undecided = _refused(seen, plan)
    if undecided:
        return replace(plan, ask=True)
    kept = {drain.uid for drain in refused[:missing]}
    plan = replace(plan, drains=tuple(drain for drain in plan.drains if drain.uid not in kept))
    missing -= len(kept)
    return _create(seen, plan, missing) if missing else plan


def _create(seen: GroupObserved, plan: GroupPlan, missing: int) -> GroupPlan:
    """Create workers under new numbers; first those of whose creation nobody knows the outcome, under their own.

    The first workers of a group start beside their scheduler. Later ones wait until it runs: with nobody to
    connect to, a worker that ends by itself would be replaced without end.
    """
    if seen.held or (plan.last_index and not seen.scheduler_lives):
        return plan
    wait = replacement.delay(plan.failures, _template(seen), seen.wall)
    if wait > 0:
        return replace(plan, again=sooner(plan.again, wait))
    known = {pod.index for pod in seen.pods}
    repeated = sorted(seen.uncertain - known)[:missing]
    fresh = range(plan.last_index + 1, plan.last_index + 1 + missing - len(repeated))
    return replace(plan, create=(*repeated, *fresh), last_index=plan.last_index + len(fresh))


def _template(seen: GroupObserved) -> str:
    """The digest of what the user now wants worker Pods to be made from."""
    return worker_digest(seen.group.spec.worker, seen.cluster.spec.image if seen.cluster else None)


def _refused(seen: GroupObserved, plan: GroupPlan) -> tuple[list[Drain], bool]:
    """The workers that were to go and that the scheduler still has, and whether it must be asked first."""
    alive = {pod.uid: pod for pod in seen.pods if pod.alive}
    waiting = [drain for drain in plan.drains if drain.uid in alive and drain.uid not in seen.in_flight]
    if not waiting or not seen.scheduler_lives:
        return [], False
    if not all(informed(seen, drain) for drain in waiting):
        return [], True
    return [drain for drain in waiting if seen.placement.of(alive[drain.uid])], False
