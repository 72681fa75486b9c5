"""One pass over a cluster."""

from dask_operator_api import labels, names
from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind

from dask_operator.errors import ApiError, Conflict, NameTaken, NotFound, Refused
from dask_operator.intake import is_watched
from dask_operator.observed import ClusterView
from dask_operator.plan.cluster import (
    ClusterObserved,
    ClusterPlan,
    Create,
    Delete,
    NameConflict,
    Patch,
    plan_cluster,
)
from dask_operator.plan.world import sooner
from dask_operator.reconcile.context import GONE_SECONDS, Context, as_retry, in_parallel, names_of
from dask_operator.status import cluster_status
from dask_operator.status.conditions import connecting_for, lonely
from dask_operator.store import Key

LEAVING_SECONDS = 60.0
"""How long a scheduler may take to move the results of workers whose Pods are being deleted."""


async def reconcile_cluster(context: Context, key: Key) -> float | None:
    """Bring a cluster's own objects in order."""
    cluster = context.store.cluster(key.namespace, key.name)
    if cluster is None:
        context.forget(key)
        return None
    if cluster.deleting:
        return None
    problem = names.cluster_name_problem(cluster.name)
    if problem is not None:
        context.recorder.tell(cluster, Reason.INVALID_SPEC, problem, warning=True)
        return None
    try:
        return await _pass(context, key, _observe(context, cluster))
    except NotFound:
        return GONE_SECONDS
    except ApiError as error:
        raise as_retry(error) from error


def _observe(context: Context, cluster: ClusterView) -> ClusterObserved:
    name = (cluster.namespace, names.scheduler_name(cluster.name))
    scheduler = context.store.pods.objects.get(name)
    related = context.store.pods_of(*cluster.identity)
    workers = tuple(p for p in related if p.component == labels.WORKER and p.cluster_uid == cluster.uid)
    own = scheduler if scheduler is not None and scheduler.owner == cluster.uid else None
    return ClusterObserved(
        cluster=cluster,
        scheduler=scheduler,
        service=context.store.services.objects.get(name),
        groups=context.store.groups_of(*cluster.identity),
        workers=workers,
        roster=context.desk.roster(own),
        in_flight=context.desk.in_flight(own, workers),
        attempts=context.desk.attempts(pod for pod in workers if pod.deleting),
        now=context.clock(),
        wall=context.wall(),
    )


async def _pass(context: Context, key: Key, seen: ClusterObserved) -> float | None:
    cluster = seen.cluster
    plan = plan_cluster(seen, context.settings.default_image)
    problem, retry = context.problem(key, (cluster.generation,))
    status = cluster_status(seen, plan, problem, context.wall())
    again = await context.write_status(key, cluster, status, urgent=not cluster.status.get("image"))
    if problem is None:
        retry = await _carry_out(context, key, seen, plan)
    _retire(context, key, seen, plan)
    return sooner(again, retry, plan.again, _ask(context, key, seen, plan))


async def _carry_out(context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan) -> float | None:
    async def act(item: Create | Patch | Delete) -> None:
        await _act(context, seen.cluster, item)

    try:
        await in_parallel(plan.acts, act, len(plan.acts))
    except Refused as error:
        reason = Reason.SERVICE_REFUSED if error.kind == "Service" else Reason.POD_REFUSED
        context.refuse(key, seen.cluster, (seen.cluster.generation,), reason, error)
        return 0.0
    return None


async def _act(context: Context, cluster: ClusterView, item: Create | Patch | Delete) -> None:
    space = cluster.namespace
    if isinstance(item, Create):
        await _create(context, cluster, item)
    elif isinstance(item, Patch):
        answer = await context.kube.patch(item.kind, space, item.name, item.body)
        context.intake.saw(item.kind, answer)
    else:
        await context.delete(item.kind, item.view)
        context.recorder.tell(cluster, "Deleted", f"deleted {item.kind} {item.view.name}: {item.why}")


async def _create(context: Context, cluster: ClusterView, item: Create) -> None:
    name = item.body["metadata"]["name"]
    try:
        answer = await context.kube.create(item.kind, item.body)
        context.recorder.tell(cluster, "Created", f"created {item.kind} {name}")
    except Conflict:
        # Somebody's, or ours from a try whose answer was lost: the next pass sees which.
        answer = await context.kube.get(item.kind, cluster.namespace, name)
        elsewhere = item.kind == Kind.WORKER_GROUP and answer["spec"].get("cluster") != cluster.name
        if elsewhere or not is_watched(item.kind, answer):
            raise NameTaken(NameConflict(item.kind, name).message, 409) from None
    context.intake.saw(item.kind, answer)


def _retire(context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan) -> None:
    """Save the results of workers whose Pods somebody deletes, while their grace period lasts."""
    scheduler = seen.own_scheduler
    if not plan.retire or scheduler is None:
        return
    context.desk.retire(scheduler, seen.placement.addresses(plan.retire), LEAVING_SECONDS, (key,))
    context.recorder.tell(
        seen.cluster, "RetiringWorkers", f"workers are being deleted, retiring them: {names_of(plan.retire)}"
    )


def _ask(context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan) -> float | None:
    scheduler = seen.own_scheduler
    if scheduler is None or not scheduler.serving:
        return None
    if plan.ask:
        return context.desk.ask(scheduler, key)
    alone = lonely(seen.workers, seen.placement)
    if not alone:
        return None
    waited = connecting_for(alone, scheduler, context.wall())
    return context.connection_check(key, scheduler, seen.roster, waited)
