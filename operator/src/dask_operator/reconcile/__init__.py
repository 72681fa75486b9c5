"""One pass over one object: observe, plan, write the status with what is intended, carry it out.

The status goes first because it holds what must survive a crash: the workers that were chosen to go, the numbers
that were given to new ones, the image. What the acts bring about, the next pass sees.
"""

from dask_operator_api.kinds import Kind

from dask_operator.reconcile.cluster import reconcile_cluster
from dask_operator.reconcile.context import Context
from dask_operator.reconcile.group import reconcile_group
from dask_operator.reconcile.job import reconcile_job
from dask_operator.store import Key


async def reconcile(context: Context, key: Key) -> float | None:
    """Bring one object's world in order; gives the seconds after which to look again, or None."""
    if key.kind == Kind.CLUSTER:
        return await reconcile_cluster(context, key)
    if key.kind == Kind.JOB:
        return await reconcile_job(context, key)
    return await reconcile_group(context, key)


__all__ = ["Context", "reconcile"]
