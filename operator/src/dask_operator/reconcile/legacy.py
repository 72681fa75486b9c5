"""One pass over a cluster that may be another operator's, made of Deployments."""

from dask_operator_api import labels

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import ClusterView
from dask_operator.observed.objects import deployment_view
from dask_operator.plan.legacy import (
    LOOK_SECONDS,
    OF_DEPLOYMENT,
    Asked,
    LegacyObserved,
    LegacyPlan,
    may_be,
    needs_word,
    of_cluster,
    plan_legacy,
)
from dask_operator.reconcile.context import Context
from dask_operator.status.legacy import legacy_status
from dask_operator.store import Key


async def leave_alone(context: Context, key: Key, cluster: ClusterView) -> float | None:
    """Leave a cluster of Deployments as it is, or move it; None if the cluster is not one, or not any more.

    Otherwise gives the seconds until another look. A second scheduler is never made beside one: as long as this gives
    seconds, nobody makes anything for the cluster.
    """
    if not may_be(cluster):
        return None
    seen = await _observe(context, cluster)
    if seen.gone:
        return None
    plan = plan_legacy(seen, await _ask(context, seen))
    again = await context.write_status(key, cluster, legacy_status(seen, plan, context.wall()))
    await _carry_out(context, cluster, plan)
    return min(plan.again, again or plan.again)


async def _observe(context: Context, cluster: ClusterView) -> LegacyObserved:
    selector = f"{labels.CLUSTER_NAME}={cluster.name}"
    listing = await context.kube.list_all("Deployment", selector, cluster.namespace)
    groups = [group.uid for group in context.store.groups_of(*cluster.identity)]
    found = of_cluster(cluster, groups, map(deployment_view, listing.items))
    related = context.store.pods_of(*cluster.identity)
    pods = tuple(pod for pod in related if pod.owner_kind == OF_DEPLOYMENT)
    return LegacyObserved(cluster, found, pods)


async def _ask(context: Context, seen: LegacyObserved) -> Asked:
    """What the scheduler has to do; asked again only after a while."""
    pod = seen.scheduler_pod
    if pod is None or not needs_word(seen):
        return Asked()
    at, held = context.legacy.get(pod.uid, (-LOOK_SECONDS, Asked()))
    idle = held.activity is not None and held.activity.idle
    if context.clock() - at < LOOK_SECONDS and not idle:  # what was idle may have got work since
        return held
    try:
        asked = Asked(await context.desk.activity(pod))
    except SchedulerUnreachable as error:
        asked = Asked(problem=str(error))
    context.legacy = {uid: told for uid, told in context.legacy.items() if context.clock() - told[0] < 600}
    context.legacy[pod.uid] = (context.clock(), asked)
    return asked


async def _carry_out(context: Context, cluster: ClusterView, plan: LegacyPlan) -> None:
    if not plan.delete:
        return
    many = len(plan.delete)
    context.recorder.tell(
        cluster, "MovingLayout", f"deleting {many} Deployments of another operator: {plan.moving}"
    )
    for deployment in plan.delete:
        await context.kube.delete("Deployment", deployment.namespace, deployment.name, deployment.uid)
