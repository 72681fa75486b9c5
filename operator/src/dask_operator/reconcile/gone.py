"""What is left of clusters that are gone: deleted in one call, for speed; garbage collection does it otherwise."""

from dask_operator_api.kinds import Kind

from dask_operator.errors import NotFound
from dask_operator.observed import PodView
from dask_operator.observed.objects import group_view
from dask_operator.plan.leftovers import Leftover, goes_with_cluster, leftovers
from dask_operator.plan.overdue import overdue
from dask_operator.reconcile.context import Context
from dask_operator.store import Key

AGAIN_SECONDS = 10.0
"""Seconds until what a call has not taken is tried again."""


async def clear_away(context: Context, key: Key, living: str) -> float | None:
    """Delete the Pods of clusters that had the name of ``key``, other than the one whose uid is ``living``.

    Gives the seconds after which to look again, or None.
    """
    pods = context.store.pods_of(key.namespace, key.name)
    context.forget_cleared(AGAIN_SECONDS)
    for leftover in leftovers(pods, living):
        if leftover not in context.cleared:
            context.cleared[leftover] = context.clock()
            await _delete(context, key.namespace, leftover)
    if not pods:
        return None
    return await _force(context, [pod for pod in pods if pod.cluster_uid not in ("", living)])


async def _delete(context: Context, namespace: str, leftover: Leftover) -> None:
    """Delete the Pods of a group, unless the group as it is now says that it was left behind on purpose.

    What the watches have told may be older than the end of the cluster: the group is asked for anew.
    """
    try:
        group = group_view(await context.kube.get(Kind.WORKER_GROUP.value, namespace, leftover.group))
    except NotFound:
        group = None
    if goes_with_cluster(group, leftover):
        await context.kube.delete_selected("Pod", namespace, leftover.selector)


async def _force(context: Context, pods: list[PodView]) -> float | None:
    """Delete those by force that no kubelet ends."""
    late, later = overdue(pods, context.wall())
    for act in late:
        await context.delete("Pod", act.view, at_once=True)
    return later
