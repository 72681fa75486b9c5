"""One pass over a worker group."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from dask_operator_api import passes
from dask_operator_api.conditions import ConditionType, Reason
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import items

from dask_operator.desired import image_in_force, worker_digest, worker_metadata, worker_pod
from dask_operator.errors import ApiError, Conflict, NotFound, Refused, TryAgain, Uncertain
from dask_operator.observed import ClusterView, GroupView, PodView
from dask_operator.plan.drains import drains_in_status
from dask_operator.plan.group import belongs, is_foreign, plan_group
from dask_operator.plan.world import GroupObserved, GroupPlan, Removal, blocked_before, sooner
from dask_operator.reconcile.asking import stuck, with_logs
from dask_operator.reconcile.context import GONE_SECONDS, Context, names_of
from dask_operator.reconcile.gone import makes_room
from dask_operator.reconcile.living import after, is_living
from dask_operator.status import group_status, waiting_status
from dask_operator.status.conditions import connecting_for, lonely
from dask_operator.store import Key

logger = logging.getLogger(__name__)

_REMOVAL, _RELABELLING = "removal of Pods", "labels and annotations of Pods"

RETIRE_SECONDS = 60.0
"""The least time that a scheduler gets to move the results of retired workers."""


WRITTEN_AHEAD = ("draining", "lastWorkerIndex", "lastFailures")
"""What must be stored before it is acted on."""


async def reconcile_group(context: Context, key: Key) -> float | None:
    """Bring a group's workers in order."""
    group = context.store.group(key.namespace, key.name)
    if group is None:
        context.forget(key)
        return None
    passes.found(group.generation)
    cluster = context.store.cluster(group.namespace, group.spec.cluster)
    if group.deleting:
        return None
    if cluster is None and group.owner_kind == Kind.CLUSTER.value:
        return None  # it goes the way of its cluster
    if cluster is None:
        message = f"there is no DaskCluster {group.spec.cluster} in namespace {group.namespace} yet"
        return await _wait(context, key, group, Reason.CLUSTER_NOT_FOUND, message)
    if is_foreign(group, cluster):
        message = (
            f"it is owned by another object (a {group.owner_kind}), and a cluster takes none from others"
        )
        return await _wait(context, key, group, Reason.NAME_CONFLICT, message)
    if not belongs(group, cluster) or not cluster.status.get("image"):
        return None
    try:
        return await _pass(context, key, group, cluster)
    except ApiError as error:
        return await after(error, context, Kind.WORKER_GROUP, group)


async def _wait(context: Context, key: Key, group: GroupView, reason: Reason, message: str) -> float | None:
    """Say why the group has no workers."""
    status = waiting_status(group, reason, message, context.wall())
    try:
        return await context.write_status(key, group, status)
    except NotFound:
        return None


def _observe(context: Context, group: GroupView, cluster: ClusterView, held: bool) -> GroupObserved:
    related = context.store.pods_of(group.namespace, cluster.name)
    scheduler = next((p for p in related if p.component == "scheduler" and p.owner == cluster.uid), None)
    pods = tuple(pod for pod in related if pod.owner == group.uid)
    context.settle(group.uid, {pod.index for pod in pods})
    image = image_in_force(cluster, scheduler, context.settings.default_image)
    return GroupObserved(
        group=group,
        cluster=cluster,
        scheduler=scheduler,
        pods=pods,
        roster=context.desk.roster(scheduler),
        siblings=tuple(pod for pod in related if pod.cluster_uid == cluster.uid and pod.group),
        in_flight=context.desk.in_flight(scheduler, pods),
        attempts=context.desk.attempts(pods),
        held=held,
        template=worker_digest(group.spec.worker, image.written),
        uncertain=frozenset(context.uncertain.get(group.uid, ())),
        now=context.clock(),
        wall=context.wall(),
    )


async def _pass(context: Context, key: Key, group: GroupView, cluster: ClusterView) -> float | None:
    generations = (group.generation, cluster.generation)
    waiting = context.refusals.waiting(key, generations)
    room = makes_room(context, Key(Kind.CLUSTER, key.namespace, cluster.name))
    seen = _observe(context, group, cluster, held="Pod" in waiting.kinds or room is not None)
    plan = plan_group(seen)
    problem = next(iter(context.refusals.told(key, _written(plan))), None)
    plan = replace(plan, failures=await with_logs(context, plan.failures, seen.pods))
    trouble, soon = await stuck(context, seen.pods)
    leaving = {drain.uid for drain in plan.drains}
    context.desk.forget_attempts(pod for pod in seen.pods if pod.alive and pod.uid not in leaving)
    status = group_status(seen, plan, problem, trouble)
    intent = any(status[name] != seen.group.status.get(name) for name in WRITTEN_AHEAD)
    again = await context.write_status(key, seen.group, status, urgent=intent)
    _tell(context, seen, plan)
    _retire(context, key, seen, plan)
    asked = _ask(context, key, seen, plan)
    due = _written(plan) - waiting.kinds
    for what, act in ((_REMOVAL, _remove), (_RELABELLING, _relabel)):
        if what in due:
            again = sooner(again, await _unless_refused(context, key, generations, seen, plan, what, act))
    if plan.create:
        if plan.last_index > len(plan.create) and not await is_living(context, Kind.WORKER_GROUP, group):
            return GONE_SECONDS
        again = sooner(again, await _unless_refused(context, key, generations, seen, plan, "Pod", _create))
    return sooner(again, waiting.seconds, soon, room, plan.again, asked)


def _written(plan: GroupPlan) -> set[str]:
    """What is to be written now, in the words that refusals are kept under."""
    tried = {"Pod": plan.create, _REMOVAL: plan.remove, _RELABELLING: plan.relabel}
    return {what for what, items in tried.items() if items}


async def _unless_refused(
    context: Context,
    key: Key,
    generations: tuple[int, ...],
    seen: GroupObserved,
    plan: GroupPlan,
    what: str,
    act: Callable[[Context, GroupObserved, GroupPlan], Awaitable[None]],
) -> float | None:
    """Do it. A refusal is told, and all else goes on: gives when to look again, or None."""
    try:
        await act(context, seen, plan)
    except Refused as error:
        error.kind = what
        context.refuse(key, seen.group, generations, Reason.POD_REFUSED, error)
        return 0.0
    context.refusals.accepted(key, what)
    return None


def _tell(context: Context, seen: GroupObserved, plan: GroupPlan) -> None:
    """Tell what has changed: workers that failed, that are replaced, that cannot go."""
    told = {(item.get("pod"), item.get("time")) for item in items(seen.group.status, "lastFailures")}
    for failure in plan.failures:
        item = failure.as_status()
        if (item["pod"], item["time"]) not in told:
            last = f"; its log ends: {failure.log.splitlines()[-1]}" if failure.log else ""
            reason = "" if failure.message.startswith(failure.reason) else f"{failure.reason}: "
            message = f"worker {failure.pod} ended: {reason}{failure.message}{last}"
            context.recorder.tell(seen.group, "WorkerFailed", message, warning=True)
    before = {drain.uid for drain in drains_in_status(seen.group)}
    for drain in plan.drains:
        if drain.rollout and drain.uid not in before:
            message = f"worker {drain.pod} goes, one of the present template has taken its place"
            context.recorder.tell(seen.group, "RollingOut", message)
    _tell_blocked(context, seen, plan)


async def _relabel(context: Context, seen: GroupObserved, plan: GroupPlan) -> None:
    """Patch labels and annotations of living Pods that the user has edited."""
    handed = worker_metadata(seen.group)
    if plan.relabel:
        logger.info("labels and annotations of %d workers: %s", len(plan.relabel), names_of(plan.relabel))

    async def patch(pod: PodView) -> None:
        body = {"metadata": {"uid": pod.uid, **(handed.patch(pod.handed_down) or {})}}
        context.intake.saw("Pod", await context.kube.patch("Pod", pod.namespace, pod.name, body))

    await context.lanes.side_by_side(seen.group.family, plan.relabel, patch)


def _tell_blocked(context: Context, seen: GroupObserved, plan: GroupPlan) -> None:
    """Tell once that workers which are to go cannot, and why."""
    before = blocked_before(seen.group)
    if plan.blocked is not None and (before is None or before.reason != plan.blocked.reason):
        context.recorder.tell(
            seen.group, ConditionType.DRAIN_BLOCKED.value, plan.blocked.message, warning=True
        )


async def _remove(context: Context, seen: GroupObserved, plan: GroupPlan) -> None:
    async def remove(removal: Removal) -> None:
        await context.delete("Pod", removal.pod)
        if removal.departure is not None:
            context.left(removal.departure.value)

    await context.lanes.side_by_side(seen.group.family, plan.remove, remove)
    for why in dict.fromkeys(removal.why for removal in plan.remove):
        alike = [removal for removal in plan.remove if removal.why == why]
        lost = sum(removal.lost_results for removal in alike)
        loss = f"; {lost} results in their memory are lost" if lost else ""
        context.recorder.tell(
            seen.group,
            "WorkersRemoved",
            f"removed {len(alike)} workers ({why}): {names_of(removal.pod for removal in alike)}{loss}",
            warning=bool(lost) or any(removal.failed for removal in alike),
        )


async def _create(context: Context, seen: GroupObserved, plan: GroupPlan) -> None:
    async def create(index: int) -> None:
        await _create_worker(context, seen, index)

    await context.lanes.side_by_side(seen.group.family, plan.create, create)
    context.recorder.tell(
        seen.group, "WorkersCreated", f"created {len(plan.create)} workers, up to number {plan.last_index}"
    )


async def _create_worker(context: Context, seen: GroupObserved, index: int) -> None:
    group, cluster = seen.group, seen.cluster
    assert cluster is not None
    image = image_in_force(cluster, seen.scheduler, context.settings.default_image)
    body = worker_pod(cluster, group, image, index, context.settings.default_pull_secrets)
    try:
        answer = await context.kube.create("Pod", body)
    except Uncertain:
        context.uncertain.setdefault(group.uid, set()).add(index)
        raise
    except Conflict as error:
        answer = await _existing(context, body["metadata"]["namespace"], body["metadata"]["name"], error)
    context.settle(group.uid, {index})
    context.intake.saw("Pod", answer)


async def _existing(context: Context, namespace: str, name: str, error: Conflict) -> dict[str, object]:
    """The Pod that was there already: made by an earlier try whose answer was lost."""
    try:
        return await context.kube.get("Pod", namespace, name)
    except NotFound:
        raise TryAgain(str(error)) from error


def _retire(context: Context, key: Key, seen: GroupObserved, plan: GroupPlan) -> None:
    """Have the scheduler move the results of the workers that are to go."""
    if not plan.retire or seen.scheduler is None or seen.roster is None:
        return
    homes = seen.placement.addresses(plan.retire)
    seconds = max(RETIRE_SECONDS, seen.group.spec.worker.drain_timeout)
    context.desk.retire(seen.scheduler, homes, seconds, (key,))
    context.recorder.tell(
        seen.group, "RetiringWorkers", f"retiring {len(homes)} workers: {names_of(plan.retire)}"
    )


def _ask(context: Context, key: Key, seen: GroupObserved, plan: GroupPlan) -> float | None:
    """Ask the scheduler what it knows, where the plan needs it or Ready workers are missing from it."""
    scheduler = seen.scheduler
    if scheduler is None or not scheduler.serving:
        return None
    if plan.ask:
        return context.desk.ask(scheduler, key, with_loads=True)
    alone = lonely(seen.pods, seen.placement)
    if not alone:
        return None
    waited = connecting_for(alone, scheduler, context.wall())
    return context.connection_check(key, scheduler, seen.roster, waited)
