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

LOOK_SECONDS = 0.5
"""Seconds between two looks whether a call has ended."""

LEFT_SECONDS = 1.0
"""Seconds between two looks whether anything is left."""

BUSY_SECONDS = 30.0
"""A call that takes longer than this is no reason to wait."""

AGAIN_SECONDS = 10.0
"""Seconds until what a call has not taken is tried again."""


async def clear_away(context: Context, key: Key, living: str) -> float | None:
    """Delete the Pods of clusters that had the name of ``key``, other than the one whose uid is ``living``.

    The calls that delete many take seconds and are made in the background. Gives the seconds after which to look
    again, or None.
    """
    pods = context.store.pods_of(key.namespace, key.name)
    context.forget_cleared(AGAIN_SECONDS)
    left = leftovers(pods, living)
    due = [leftover for leftover in left if leftover not in context.cleared]
    if due and key not in context.clearing:
        context.clearing[key] = context.clock()
        context.in_background(_delete_all(context, key, due))
    if not pods:
        return None
    forced = await _force(context, [pod for pod in pods if pod.cluster_uid not in ("", living)])
    return sooner(forced, LEFT_SECONDS if left else None)


def makes_room(context: Context, key: Key) -> float | None:
    """Seconds after which to look again whether a cluster that had the name of ``key`` is out of the way.

    None where nothing is in the way. While one call deletes hundreds of Pods, creating as many makes both slow; the
    Pods themselves, with their grace periods, are not waited for.
    """
    began = context.clearing.get(key)
    return LOOK_SECONDS if began is not None and context.clock() - began < BUSY_SECONDS else None


async def _delete_all(context: Context, key: Key, due: list[Leftover]) -> None:
    """Delete the Pods of some groups.

    Where a call fails or is cut short (no write may take longer than the Lease is ours), what it has left is tried
    again, and garbage collection goes on meanwhile.
    """
    try:
        for leftover in due:
            await _delete(context, key.namespace, leftover)
            context.cleared[leftover] = context.clock()
    except ApiError as error:
        logger.warning("deleting what is left of %s: %s", key, error)
    finally:
        context.clearing.pop(key, None)


async def _delete(context: Context, namespace: str, leftover: Leftover) -> None:
    """Delete the Pods of a group, unless the group as it is now says that it was left behind on purpose.

    What the watches have told may be older than the end of the cluster: the group is asked for anew.
    """
    if goes_with_cluster(await _group(context, namespace, leftover), leftover):
        await context.kube.delete_selected("Pod", namespace, leftover.selector)


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
