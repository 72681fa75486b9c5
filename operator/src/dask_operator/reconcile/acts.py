"""Carrying out what was planned for a cluster or a job."""

import logging
from collections.abc import Sequence

from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items

from dask_operator.errors import Conflict, NameTaken, Refused
from dask_operator.intake import is_watched
from dask_operator.observed import ClusterView, JobView
from dask_operator.plan.cluster_world import Act, Create, Delete, NameConflict, Patch
from dask_operator.reconcile.context import Context
from dask_operator.reconcile.refusals import Waiting
from dask_operator.store import Key

logger = logging.getLogger(__name__)

_REFUSED = {"Service": Reason.SERVICE_REFUSED, Kind.CLUSTER.value: Reason.INVALID_SPEC}


async def carry_out(
    context: Context,
    key: Key,
    about: ClusterView | JobView,
    acts: Sequence[Act],
    waiting: Waiting,
    more: bool = False,
) -> float | None:
    """Do what was planned, but for what the API server has just refused; gives when to look again, or None.

    Where there is ``more`` to come, what was made is told together with that.

    Raises:
        ApiError: a call failed otherwise than by a refusal, which is remembered.
    """
    wanted = [item for item in acts if isinstance(item, Delete) or item.kind not in waiting.kinds]
    made = context.made.pop(key, [])

    async def act(item: Act) -> None:
        await _try(context, key, about, item, made)

    try:
        await context.lanes.side_by_side(key, wanted, act)
    except Refused as error:
        reason = _REFUSED.get(error.kind, Reason.POD_REFUSED)
        context.refuse(key, about, (about.generation,), reason, error)
        return 0.0
    finally:
        if made and more:
            context.made[key] = made
        elif made:
            context.recorder.tell(about, "Created", f"created {', '.join(made)}")
    return None


async def _try(context: Context, key: Key, about: ClusterView | JobView, item: Act, made: list[str]) -> None:
    """Do it, and note of which kind the API server has taken or refused an object."""
    try:
        await _act(context, about, item, made)
    except Refused as error:
        error.kind, error.creating = item.kind, isinstance(item, Create)
        raise
    if not isinstance(item, Delete):
        context.refusals.accepted(key, item.kind)


async def _act(context: Context, about: ClusterView | JobView, item: Act, made: list[str]) -> None:
    space = about.namespace
    if isinstance(item, Create):
        if await _create(context, about, item):
            made.append(f"{item.kind} {item.body['metadata']['name']}")
    elif isinstance(item, Patch):
        logger.info("changing %s %s: %s", item.kind, item.name, item.why)
        answer = await context.kube.patch(item.kind, space, item.name, item.body)
        context.intake.saw(item.kind, answer)
    else:
        await context.delete(item.kind, item.view, item.at_once)
        context.recorder.tell(
            about, "Deleted", f"deleted {item.kind} {item.view.name}: {item.why}", warning=item.at_once
        )


async def _create(context: Context, about: ClusterView | JobView, item: Create) -> bool:
    """Make it, unless it is there; gives whether it was made."""
    name, made = item.body["metadata"]["name"], True
    try:
        answer = await context.kube.create(item.kind, item.body)
    except Conflict:
        if item.kind == Kind.AUTOSCALER:
            raise  # the watch tells of every one of them, and there is no right to read one
        made = False
        # Somebody's, or ours from a try whose answer was lost: the next pass sees which.
        answer = await context.kube.get(item.kind, about.namespace, name)
        if _is_elsewhere(about, item.kind, answer) or not is_watched(item.kind, answer):
            raise NameTaken(NameConflict(item.kind, name).message, 409) from None
    context.intake.saw(item.kind, answer)
    return made


def _is_elsewhere(about: ClusterView | JobView, kind: str, answer: Manifest) -> bool:
    """Whether an object that has the name we need will never be seen as one of ours."""
    if isinstance(about, JobView):
        owners = items(answer, "metadata", "ownerReferences")
        return all(owner.get("uid") != about.uid for owner in owners)
    return kind == Kind.WORKER_GROUP and answer["spec"].get("cluster") != about.name
