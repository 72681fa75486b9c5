"""What an operator without an autoscaler beside it says of DaskAutoscalers."""

from contextlib import suppress

from dask_operator_api.kinds import Kind

from dask_operator.errors import Conflict, NotFound
from dask_operator.reconcile.context import Context
from dask_operator.status.autoscaler import unserved_status
from dask_operator.store import Key


async def tell_unserved(context: Context, key: Key) -> None:
    """Say on every autoscaler of a cluster, which need not exist, that nobody serves it; if that is so."""
    if context.settings.autoscaling:
        return
    for scaler in context.store.autoscalers_of(key.namespace, key.name):
        status = unserved_status(scaler, context.wall())
        if scaler.deleting or status["conditions"] == list(scaler.conditions):
            continue
        body = {"metadata": {"uid": scaler.uid}, "status": status}
        with suppress(NotFound, Conflict):  # it is gone, or another one by now
            answer = await context.kube.patch(Kind.AUTOSCALER, scaler.namespace, scaler.name, body, "status")
            context.intake.saw(Kind.AUTOSCALER, answer)
