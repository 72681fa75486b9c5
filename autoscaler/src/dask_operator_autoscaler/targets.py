"""Which autoscaler of a cluster scales which group, and which of them the cluster's one wish is spent on: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dask_operator_api import names
from dask_operator_api.conditions import Reason

from dask_operator_autoscaler.observed import Autoscaler, Cluster, Group


@dataclass(frozen=True)
class Target:
    """An autoscaler with the group it scales."""

    scaler: Autoscaler
    group: Group
    primary: bool


@dataclass(frozen=True)
class Refusal:
    """An autoscaler that scales nothing, and why. ``SUSPENDED`` is the user's own will."""

    scaler: Autoscaler
    reason: Reason
    message: str


def targets(
    cluster: Cluster | None, scalers: Sequence[Autoscaler], groups: Sequence[Group]
) -> tuple[list[Target], list[Refusal]]:
    """Each autoscaler of one cluster in one of two lists, by name.

    Of two on one group the older scales. The wish is spent on the default group's autoscaler, or on the first by name.
    """
    known = {group.name: group for group in groups}
    taken: dict[str, Autoscaler] = {}
    refusals: list[Refusal] = []
    for scaler in sorted(scalers, key=lambda item: (item.created, item.name)):
        refusal = _refusal(scaler, cluster, known, taken)
        if refusal is not None:
            refusals.append(refusal)
        elif scaler.spec is not None:
            taken[scaler.spec.group] = scaler
    active = {name: scaler for name, scaler in taken.items() if scaler.spec and not scaler.spec.suspend}
    refusals += [
        Refusal(scaler, Reason.SUSPENDED, "") for name, scaler in taken.items() if name not in active
    ]
    first = _first(cluster, active)
    chosen = [Target(scaler, known[name], name == first) for name, scaler in active.items()]
    chosen.sort(key=lambda target: (not target.primary, target.scaler.name))
    return chosen, refusals


def _first(cluster: Cluster | None, active: dict[str, Autoscaler]) -> str:
    default = names.default_group_name(cluster.name) if cluster is not None else ""
    if default in active or not active:
        return default
    return min(active, key=lambda name: active[name].name)


def _refusal(
    scaler: Autoscaler, cluster: Cluster | None, known: dict[str, Group], taken: dict[str, Autoscaler]
) -> Refusal | None:
    spec = scaler.spec
    if spec is None:
        return Refusal(scaler, Reason.INVALID_SPEC, f"its spec cannot be read: {scaler.problem}")
    if cluster is None:
        return Refusal(scaler, Reason.CLUSTER_NOT_FOUND, f"there is no DaskCluster {spec.cluster} (yet)")
    if spec.group not in known:
        words = f"the cluster {cluster.name} has no DaskWorkerGroup {spec.group} (yet)"
        return Refusal(scaler, Reason.WORKER_GROUP_NOT_FOUND, words)
    other = taken.get(spec.group)
    if other is not None:
        words = f"DaskAutoscaler {other.name}, which is older, scales {spec.group}: delete one of them"
        return Refusal(scaler, Reason.DUPLICATE_TARGET, words)
    return None
