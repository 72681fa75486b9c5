"""What can go wrong, as exceptions. Each message says what happened and, where there is one, the remedy."""

from dask_operator_api.conditions import Reason


class ClusterError(RuntimeError):
    """Base of every error of this package other than bad keywords (``ValueError``, ``TypeError``).

    ``reason`` is the word from the cluster's condition, where a condition is the cause; else None.

    >>> ClusterError("the image cannot be pulled", Reason.IMAGE_PULL_FAILED).reason.value
    'ImagePullFailed'
    """

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class KubernetesUnavailable(ClusterError):
    """No way to reach a Kubernetes API server: no configuration, no network, no valid login."""


class RequestRefused(ClusterError):
    """The API server refused a request: no rights, a quota, an invalid object. ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class OperatorMissing(ClusterError):
    """The custom resources are not installed, or nothing acts on them."""


class ClusterNotFound(ClusterError):
    """There is no DaskCluster, or worker group, of that name."""


class ClusterExists(ClusterError):
    """There is a DaskCluster, or worker group, of that name already."""


class ClusterDiffers(ClusterExists):
    """The existing cluster is not like the keywords given. ``keywords`` names those that differ."""

    def __init__(self, message: str, keywords: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keywords = keywords


class ClusterGone(ClusterError):
    """The DaskCluster was deleted while it was waited for."""


class WaitTimeout(ClusterError, TimeoutError):
    """Nothing changed for as long as the caller was willing to wait."""


class ForwardFailed(ClusterError):
    """A port-forward to the scheduler Pod could not be opened."""


class ClusterFailed(ClusterError):
    """The cluster cannot start as it is described; waiting does not help."""


class ImagePullFailed(ClusterFailed):
    """The image does not exist, or may not be pulled."""


class PodRefused(ClusterFailed):
    """The API server refused the scheduler's Pod or Service."""


class QuotaExceeded(ClusterFailed):
    """A quota of the namespace leaves no room for the scheduler."""


class NameConflict(ClusterFailed):
    """An object of somebody else's has a name that the cluster needs."""


class SchedulerCrashed(ClusterFailed):
    """The scheduler's container cannot start, or ends again and again."""


_BY_REASON: dict[Reason, type[ClusterFailed]] = {
    Reason.IMAGE_PULL_FAILED: ImagePullFailed,
    Reason.POD_REFUSED: PodRefused,
    Reason.SERVICE_REFUSED: PodRefused,
    Reason.INVALID_SPEC: PodRefused,
    Reason.QUOTA_EXCEEDED: QuotaExceeded,
    Reason.NAME_CONFLICT: NameConflict,
    Reason.CONTAINER_FAILED: SchedulerCrashed,
    Reason.CRASH_LOOP: SchedulerCrashed,
    Reason.POD_FAILED: SchedulerCrashed,
}


def failure(reason: Reason, message: str) -> ClusterFailed:
    """The error for a condition that waiting does not mend."""
    return _BY_REASON.get(reason, ClusterFailed)(message, reason)
