"""Whether the object that a pass is about is still there."""

import sys

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator.errors import ApiError, Conflict, NotFound
from dask_operator.observed import ClusterView, GroupView
from dask_operator.reconcile.context import GONE_SECONDS, Context, as_retry

FOR_EVER = sys.maxsize
"""As a resourceVersion: later than any news of an object that is gone."""


async def is_living(context: Context, kind: Kind, owner: ClusterView | GroupView) -> bool:
    """Whether an object is there, and nobody deletes it: asked anew, and remembered.

    A child that is missing may have been deleted because of its owner's end, of which the watches have not told yet.
    """
    body = await look(context, kind, owner.namespace, owner.name, owner.uid)
    if body is None:
        context.intake.gone(kind.value, owner.namespace, owner.name, owner.uid, FOR_EVER)
        return False
    return not body["metadata"].get("deletionTimestamp")


async def look(context: Context, kind: Kind, namespace: str, name: str, uid: str) -> Manifest | None:
    """That very object, asked for anew and remembered; None where it is gone."""
    try:
        body = await context.kube.get(kind.value, namespace, name)
    except NotFound:
        return None
    if body["metadata"]["uid"] != uid:
        return None
    context.intake.saw(kind.value, body)
    return body


async def after(
    error: ApiError, context: Context, kind: Kind, owner: ClusterView | GroupView | None
) -> float:
    """Seconds until another look, where a pass ended in ``error`` because something was gone.

    That may be the object itself, or there is another one of its name, and no watch has told: then that is remembered,
    or every look would begin anew for it.

    Raises:
        ApiError: the error means something else.
    """
    if not isinstance(error, (NotFound, Conflict)):
        raise as_retry(error) from error
    lives = owner is None or await is_living(context, kind, owner)
    if lives and isinstance(error, Conflict):
        raise as_retry(error) from error
    return GONE_SECONDS
