"""Clusters whose client has gone: deleted, where the client has asked for that in time."""

from dask_operator_api import labels
from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind

from dask_operator.errors import NotFound
from dask_operator.observed import ClusterView
from dask_operator.observed.objects import cluster_view
from dask_operator.plan.pulse import felt, interval, is_news, time_to_live
from dask_operator.reconcile.context import Context
from dask_operator.store import Key

SILENT = "ClientSilent"
"""The reason of the Event that tells of such an end."""


async def next_look(context: Context, key: Key, cluster: ClusterView) -> float | None:
    """Look whether the client of a cluster gives signs of life, and delete the cluster if it is silent for too long.

    Gives the seconds after which to look again; None where nobody has asked for looks.

    Raises:
        NotFound: the cluster is gone, or was deleted just now.
        Conflict: it has changed since it was looked at, so it was not deleted.
    """
    life = _life(context, key, cluster)
    if life is None:
        return None
    before, now = context.pulses.get(key), context.clock()
    if before is None or is_news(before, cluster):
        context.pulses[key] = felt(before, cluster, life, now)
        return interval(life)
    left = before.looked + interval(life) - now
    return left if left > 0 else await _ask(context, key)


async def _ask(context: Context, key: Key) -> float | None:
    """Judge by what the API server says now: what the watches have told may be old."""
    body = await context.kube.get(key.kind, key.namespace, key.name)
    context.intake.saw(key.kind, body)
    cluster = cluster_view(body)
    life = _life(context, key, cluster)
    if life is None or cluster.deleting:
        return None
    pulse = context.pulses[key] = felt(context.pulses.get(key), cluster, life, context.clock())
    if pulse.silent < life:
        return interval(life)
    await _end(context, cluster, pulse.silent, life)
    raise NotFound(f"{key} was deleted")


async def _end(context: Context, cluster: ClusterView, silent: float, life: float) -> None:
    where = (Kind.CLUSTER.value, cluster.namespace, cluster.name, cluster.uid)
    left = await context.kube.delete(*where, version=cluster.version)
    if left is not None:
        context.intake.saw(Kind.CLUSTER, left)
    message = (
        f"the cluster was deleted: its client has given no sign of life for {silent:.0f} s, and its "
        f"{labels.TIME_TO_LIVE} is {life:g}"
    )
    context.recorder.tell(cluster, SILENT, message, warning=True)


def _life(context: Context, key: Key, cluster: ClusterView) -> float | None:
    try:
        life = time_to_live(cluster)
    except ValueError as error:
        context.recorder.tell(cluster, Reason.INVALID_SPEC, str(error), warning=True)
        life = None
    if life is None:
        context.pulses.pop(key, None)
    return life
