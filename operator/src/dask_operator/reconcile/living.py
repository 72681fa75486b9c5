"""Whether the owner of what is to be created is still there."""

import sys

from dask_operator_api.kinds import Kind

from dask_operator.errors import NotFound
from dask_operator.observed import ClusterView, GroupView
from dask_operator.reconcile.context import Context

FOR_EVER = sys.maxsize
"""As a resourceVersion: later than any news of an object that is gone."""


async def is_living(context: Context, kind: Kind, owner: ClusterView | GroupView) -> bool:
    """Whether an object is there, and nobody deletes it: asked anew, and remembered.

    A child that is missing may have been deleted because of its owner's end, of which the watches have not told yet.
    """
    try:
        body = await context.kube.get(kind.value, owner.namespace, owner.name)
    except NotFound:
        body = None
    if body is None or body["metadata"]["uid"] != owner.uid:
        context.intake.gone(kind.value, owner.namespace, owner.name, owner.uid, FOR_EVER)
        return False
    context.intake.saw(kind.value, body)
    return not body["metadata"].get("deletionTimestamp")
