"""What is left of clusters that are gone: deleted in one call, for speed; garbage collection does it otherwise."""

import logging

from dask_operator_api.kinds import Kind

from dask_operator.errors import ApiError, NotFound
from dask_operator.observed import GroupView, PodView
from dask_operator.observed.objects import group_view
from dask_operator.plan.leftovers import Leftover, goes_with_cluster, leftovers
from dask_operator.plan.overdue import overdue
from dask_operator.plan.world import sooner
from dask_operator.reconcile.context import Context
from dask_operator.store import Key

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""Seconds until what a call has not taken is tried again."""


async def clear_away(context: Context, key: Key, living: str) -> float | None:
    """Delete the Pods of clusters that had the name of ``key``, other than the one whose uid is ``living``.

    The calls that delete many take long and are made in the background, so that a new cluster does not wait for the
    end of the old one. Gives the seconds after which to look again, or None.
    """
    pods = context.store.pods_of(key.namespace, key.name)
    context.forget_cleared(AGAIN_SECONDS)
    left = leftovers(pods, living)
    for leftover in left:
        if leftover not in context.cleared:
            context.cleared[leftover] = context.clock()
            context.in_background(_delete(context, key.namespace, leftover))
    if not pods:
        return None
    forced = await _force(context, [pod for pod in pods if pod.cluster_uid not in ("", living)])
    return sooner(forced, AGAIN_SECONDS if left else None)


async def _delete(context: Context, namespace: str, leftover: Leftover) -> None:
    """Delete the Pods of a group, unless the group as it is now says that it was left behind on purpose.

    What the watches have told may be older than the end of the cluster: the group is asked for anew. Where the call
    fails or is cut short, what it has left is tried again, and garbage collection goes on meanwhile.
    """
    try:
        if goes_with_cluster(await _group(context, namespace, leftover), leftover):
            await context.kube.delete_selected("Pod", namespace, leftover.selector)
    except ApiError as error:
        logger.warning("deleting what is left of %s in %s: %s", leftover.group, namespace, error)


async def _group(context: Context, namespace: str, leftover: Leftover) -> GroupView | None:
    try:
        return group_view(await context.kube.get(Kind.WORKER_GROUP.value, namespace, leftover.group))
    except NotFound:
        return None


async def _force(context: Context, pods: list[PodView]) -> float | None:
    """Delete those by force that no kubelet ends."""
    late, later = overdue(pods, context.wall())
    for act in late:
        await context.delete("Pod", act.view, at_once=True)
    return later
