"""Pods that should have been gone long ago: their node does not answer any more, and nobody else ends them."""

from collections.abc import Iterable

from dask_operator.observed import PodView
from dask_operator.plan.cluster_world import Delete
from dask_operator.plan.world import sooner

OVERDUE_SECONDS = 60.0
"""Seconds that a kubelet has beyond a Pod's grace period."""


def overdue(pods: Iterable[PodView], wall: float) -> tuple[tuple[Delete, ...], float | None]:
    """The Pods to delete by force now, and the seconds until the next one would be.

    One that a finalizer keeps is somebody else's to let go.
    """
    waiting = [pod for pod in pods if pod.deadline and not pod.kept]
    left = {pod.uid: pod.deadline + OVERDUE_SECONDS - wall for pod in waiting}
    late = tuple(
        Delete(
            "Pod", pod, f"node {pod.node or '(none)'} has not ended it in its grace period and a minute", True
        )
        for pod in waiting
        if left[pod.uid] <= 0
    )
    return late, sooner(*(seconds for seconds in left.values() if seconds > 0))
