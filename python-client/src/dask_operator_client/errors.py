"""What can go wrong, as exceptions. Each message says what happened and, where there is one, the remedy."""

import textwrap
from typing import Self

from dask_operator_api.conditions import Reason

INSTALL = (
    "An admin installs it with `helm install dask-operator charts/dask-operator --namespace dask-operator "
    "--create-namespace`, from a checkout of the operator"
)
"""What to do where there is no operator."""


class ClusterError(RuntimeError):
    """Base of every error of this package other than bad keywords (``ValueError``, ``TypeError``).

    ``reason`` is the word from the cluster's condition, where a condition is the cause; else None.

    >>> ClusterError("the image cannot be pulled", Reason.IMAGE_PULL_FAILED).reason.value
    'ImagePullFailed'
    """

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.log = ""
        """The last lines of the log of the container that failed, where there are any."""
        self.next_step = ""
        """A command that tells more."""

    def with_details(self, log: str, next_step: str) -> Self:
        """The same error, with more to say."""
        self.log, self.next_step = log.strip(), next_step
        return self

    def __str__(self) -> str:
        told = [super().__str__()]
        if self.log:
            told.append("The last lines of its log:\n" + textwrap.indent(self.log, "    "))
        if self.next_step:
            told.append(f"To see more: {self.next_step}")
        return "\n".join(told)


class KubernetesUnavailable(ClusterError):
    """No way to reach a Kubernetes API server: no configuration, no network, no valid login."""


class AnswerLost(KubernetesUnavailable):
    """A request may have been carried out or not: its answer did not arrive."""


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
    Reason.COMMAND_NOT_FOUND: SchedulerCrashed,
    Reason.OOM_KILLED: SchedulerCrashed,
}


def failure(reason: Reason, message: str) -> ClusterFailed:
    """The error for a condition that waiting does not mend."""
    return _BY_REASON.get(reason, ClusterFailed)(message, reason)
