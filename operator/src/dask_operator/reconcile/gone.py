"""What is left of clusters that are gone: deleted at once, for speed; garbage collection does it otherwise."""

import logging

from dask_operator_api.kinds import Kind

from dask_operator.errors import ApiError, NotFound
from dask_operator.observed import GroupView, PodView
from dask_operator.observed.objects import group_view
from dask_operator.plan.leftovers import Leftover, goes_with_cluster, leftovers
from dask_operator.plan.overdue import overdue
from dask_operator.plan.world import sooner
from dask_operator.reconcile.context import Context, names_of
from dask_operator.reconcile.living import look
from dask_operator.store import Key

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Seconds between two looks whether what is in the way has gone."""

LEFT_SECONDS = 1.0
"""Seconds between two looks whether anything is left."""

ROOM_SECONDS = 20.0
"""What takes longer to go than this is not waited for: its node may be dead."""

SPARED_SECONDS = 10.0
"""For how long nobody asks again whether a group was left behind on purpose."""


async def clear_away(context: Context, key: Key, living: str) -> float | None:
    """Delete the Pods of clusters that had the name of ``key``, other than the one whose uid is ``living``.

    To delete many takes seconds and is done in the background. Gives the seconds after which to look again, or None.
    """
    if key in context.clearing:  # hundreds of Pods tell of their end meanwhile
        return LEFT_SECONDS
    foreign = [
        pod for pod in context.store.pods_of(key.namespace, key.name) if pod.cluster_uid not in ("", living)
    ]
    context.forget_spared(SPARED_SECONDS)
    left = leftovers(foreign, living)
    if not left and not any(pod.deleting for pod in foreign):
        context.vacating.pop(key, None)
        return None
    context.vacating.setdefault(key, context.clock())
    due = [leftover for leftover in left if leftover not in context.spared]
    if due:
        context.clearing.add(key)
        context.in_background(_delete_all(context, key, due))
    return sooner(await _force(context, foreign), LEFT_SECONDS)


def makes_room(context: Context, key: Key) -> float | None:
    """Seconds after which to look again whether a cluster that had the name of ``key`` is out of the way.

    None where nothing is in the way. Hundreds of Pods that go and as many that come at the same time make each other
    slow, on their nodes too, which may have room for one half only. And no worker could work before the old scheduler
    has gone, whose name the new one needs.
    """
    since = context.vacating.get(key)
    return LOOK_SECONDS if since is not None and context.clock() - since < ROOM_SECONDS else None


async def _delete_all(context: Context, key: Key, due: list[Leftover]) -> None:
    """Delete the Pods of some groups. Where a call fails, the next look finds what it has left."""
    try:
        for leftover in due:
            await _delete(context, key, leftover)
    except ApiError as error:
        logger.warning("deleting what is left of %s: %s", key, error)
    finally:
        context.clearing.discard(key)


async def _delete(context: Context, key: Key, leftover: Leftover) -> None:
    """Delete the Pods of a group, unless the group as it is now says that it was left behind on purpose.

    What the watches have told may be older than the end of the cluster: the group is asked for anew. Or they have not
    told of the cluster yet, but of its Pods, as where a namespace has just been entered: so is the cluster.
    """
    group = await _group(context, key.namespace, leftover)
    if not goes_with_cluster(group, leftover):
        context.spared[leftover] = context.clock()
        return
    if group is not None and await look(context, Kind.CLUSTER, key.namespace, key.name, leftover.cluster_uid):
        return
    pods = [pod for pod in context.store.pods_of(key.namespace, key.name) if leftover.has(pod)]
    logger.info("deleting %d Pods of the gone %s: %s", len(pods), key, names_of(pods))
    await context.lanes.side_by_side(("gone", key), pods, lambda pod: context.delete("Pod", pod))


async def _group(context: Context, namespace: str, leftover: Leftover) -> GroupView | None:
    try:
        return group_view(await context.kube.get(Kind.WORKER_GROUP.value, namespace, leftover.group))
    except NotFound:
        return None


async def _force(context: Context, pods: list[PodView]) -> float | None:
    """Delete those by force that no kubelet ends."""
    late, later = overdue(pods, context.wall())
    for act in late:
        logger.info("deleting %s %s by force: %s", act.kind, act.view.name, act.why)
        await context.delete("Pod", act.view, at_once=True)
    return later
