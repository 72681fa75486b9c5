"""What to do about the custom resources of a cluster: its worker groups and its autoscaler."""

from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_api.specs import Metadata

from dask_operator.desired import (
    WantedGroup,
    autoscaler_patch,
    cluster_autoscaler,
    cluster_group,
    group_spec_patch,
    owner_reference,
    wanted_groups,
)
from dask_operator.observed import AutoscalerView, ClusterView, GroupView, ObjectView
from dask_operator.plan.cluster_world import Act, ClusterObserved, Create, Delete, NameConflict, Patch


def group_acts(seen: ClusterObserved) -> list[Act]:
    """Groups of the spec are made, follow it, and go when it has them no more; others that name it are adopted."""
    wanted = {group.name: group for group in wanted_groups(seen.cluster)}
    held = {group.name for group in seen.groups}
    acts: list[Act] = [
        Create(Kind.WORKER_GROUP, cluster_group(seen.cluster, group))
        for group in wanted.values()
        if group.name not in held
    ]
    for group in seen.groups:
        acts += _group(seen.cluster, group, wanted.get(group.name))
    return acts


def _group(cluster: ClusterView, group: GroupView, wanted: WantedGroup | None) -> list[Act]:
    if group.deleting:
        return []
    if not group.owner:
        return [_adoption(cluster, Kind.WORKER_GROUP, group)]
    if group.owner != cluster.uid:
        return []
    if wanted is None:
        gone = _is_from_spec(group.metadata)
        return [Delete(Kind.WORKER_GROUP, group, "spec.workerGroups has it no more")] if gone else []
    follows = wanted.default or _is_from_spec(group.metadata)
    patch = group_spec_patch(cluster, wanted, group) if follows else []
    return [Patch(Kind.WORKER_GROUP, group.name, patch, "the cluster was edited")] if patch else []


def _adoption(cluster: ClusterView, kind: Kind, view: GroupView | AutoscalerView) -> Patch:
    references = [*view.owner_references, owner_reference(cluster)]
    identity = {"uid": view.uid, "resourceVersion": str(view.version)}
    body = {"metadata": {**identity, "ownerReferences": references}}
    return Patch(kind, view.name, body, "it names this cluster")


def autoscaler_acts(seen: ClusterObserved) -> list[Act]:
    """The autoscaler of the spec is made, follows it, and goes when it has none any more; others are adopted."""
    strays = [one for one in seen.autoscalers if not one.owner and not one.deleting]
    return [*(_adoption(seen.cluster, Kind.AUTOSCALER, stray) for stray in strays), *_of_spec(seen)]


def _of_spec(seen: ClusterObserved) -> list[Act]:
    held, wanted = seen.autoscaler, bool(seen.cluster.spec.autoscaler)
    if held is None:
        return [Create(Kind.AUTOSCALER, cluster_autoscaler(seen.cluster))] if wanted else []
    if held.deleting or held.owner != seen.cluster.uid or not _is_from_spec(held.metadata):
        return []
    if not wanted:
        return [Delete(Kind.AUTOSCALER, held, "spec.autoscaler is there no more")]
    patch = autoscaler_patch(seen.cluster, held)
    return [Patch(Kind.AUTOSCALER, held.name, patch, "the cluster was edited")] if patch else []


def belonging_conflicts(seen: ClusterObserved) -> list[NameConflict]:
    """Groups and an autoscaler that the spec asks for, and that somebody else has made under those names."""
    cluster, found = seen.cluster, []
    wanted = {group.name: group for group in wanted_groups(cluster)}
    for group in seen.groups:
        one = wanted.get(group.name)
        if one is None:
            continue
        foreign = bool(group.owner) and group.owner != cluster.uid
        by_hand = not one.default and not _is_from_spec(group.metadata)
        if (foreign or by_hand) and not passing(group, Kind.CLUSTER, cluster.uid):
            found.append(NameConflict(Kind.WORKER_GROUP, group.name))
    held = seen.autoscaler if cluster.spec.autoscaler else None
    if held is not None and not passing(held, Kind.CLUSTER, cluster.uid):
        ours = held.owner == cluster.uid and _is_from_spec(held.metadata)
        found += [] if ours else [NameConflict(Kind.AUTOSCALER, held.name)]
    return found


def passing(view: ObjectView, owner_kind: str, living: str = "") -> bool:
    """Whether an object is about to go: it is being deleted, or belonged to a cluster of the same name.

    ``living``: the uid of the cluster of now, whose own objects stay.
    """
    return view.deleting or (view.owner_kind == owner_kind and view.owner != living)


def _is_from_spec(metadata: Metadata) -> bool:
    return labels.FROM_SPEC in metadata.annotations
