"""Worker Pods of clusters that are gone: garbage collection would take minutes over the many of a large one."""

from collections.abc import Iterable
from typing import NamedTuple

from dask_operator_api.kinds import Kind

from dask_operator.observed import GroupView, PodView


class Leftover(NamedTuple):
    """The workers of one group of one cluster that is gone."""

    cluster_uid: str
    group: str

    def has(self, pod: PodView) -> bool:
        """Whether a Pod is one of them, and is not being deleted yet."""
        return (pod.cluster_uid, pod.group) == self and not pod.deleting


def leftovers(pods: Iterable[PodView], living: str) -> set[Leftover]:
    """What to delete of clusters other than the one whose uid is ``living``.

    A group of which any Pod has no owner was left behind on purpose (``--cascade=orphan``).
    """
    found: dict[Leftover, bool] = {}
    for pod in pods:
        if pod.cluster_uid in ("", living) or not pod.group or pod.deleting:
            continue
        leftover = Leftover(pod.cluster_uid, pod.group)
        owned = pod.owner_kind == Kind.WORKER_GROUP.value
        found[leftover] = found.get(leftover, True) and owned
    return {leftover for leftover, owned in found.items() if owned}


def goes_with_cluster(group: GroupView | None, leftover: Leftover) -> bool:
    """Whether a group, as it is at this moment, is deleted with its cluster, or is gone already."""
    return group is None or group.owner == leftover.cluster_uid
