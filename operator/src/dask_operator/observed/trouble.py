"""What is wrong with a Pod, in the words of Kubernetes, and how its container ended last."""

from collections.abc import Iterable
from dataclasses import dataclass

from dask_operator_api.conditions import Reason
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.times import timestamp

_IMAGE_REASONS = {
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
}
_START_REASONS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
    "PostStartHookError",
}
_NOT_FOUND_WORDS = ("executable file not found", "no such file or directory")
SHELL_NOT_FOUND = 127
"""What a shell exits with when it does not find a command; so do the entry points of Dask's images."""

_OLD_COMMANDS = ("dask-scheduler", "dask-worker", "dask-cuda-worker")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a Pod from being well, in the words of Kubernetes, with what to do about it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """How a container ended."""

    exit_code: int
    reason: str
    """In the words of the kubelet: Completed, Error, OOMKilled, ..."""
    message: str
    at: float
    """When, in seconds since the epoch; 0 where it is not known."""
    started: float = 0.0
    """When it had started, likewise."""

    @property
    def sentence(self) -> str:
        """Reason, exit code and message in one line."""
        return _joined(self.reason, f"exit code {self.exit_code}", self.message)


def last_end(report: Manifest) -> End | None:
    """How the container of a container status ended last; None if it never did."""
    ended = section(report, "state", "terminated") or section(report, "lastState", "terminated")
    if not ended:
        return None
    return End(
        exit_code=int(ended.get("exitCode", 0)),
        reason=str(ended.get("reason") or ""),
        message=" ".join(str(ended.get("message") or "").split()),
        at=timestamp(ended.get("finishedAt")) or 0.0,
        started=timestamp(ended.get("startedAt")) or 0.0,
    )


def condition(status: Manifest, kind: str) -> Manifest:
    """The condition of that type in a Pod's status; empty where there is none."""
    return next((item for item in items(status, "conditions") if item.get("type") == kind), {})


def find_trouble(spec: Manifest, status: Manifest, report: Manifest, container: Manifest) -> Trouble | None:
    """What is wrong with a Pod; None if nothing is.

    Args:
        spec: the Pod's.
        status: the Pod's.
        report: the status of the container that Dask runs in.
        container: that container, as it was written.
    """
    placed = condition(status, "PodScheduled")
    if placed.get("status") == "False":
        words = str(placed.get("message") or "no node can take the Pod")
        return _trouble(Reason.UNSCHEDULABLE, words, "free or add capacity, or ask for less")
    if status.get("phase") == "Failed":
        return _failed(status, report, container)
    written = {str(c.get("name")): c for c in (*items(spec, "initContainers"), *items(spec, "containers"))}
    others = [*items(status, "initContainerStatuses"), *items(status, "containerStatuses")]
    reports: Iterable[Manifest] = [report, *(other for other in others if other != report)]
    for one in reports:
        found = _in_container(one, written.get(str(one.get("name")), container))
        if found is not None:
            return found
    return None


def _failed(status: Manifest, report: Manifest, container: Manifest) -> Trouble:
    """The Pod as a whole has failed."""
    words = _joined(str(status.get("reason") or ""), " ".join(str(status.get("message") or "").split()))
    end = last_end(report)
    if status.get("reason") == "Evicted":
        return _trouble(Reason.EVICTED, words, "ask for what it needs (resources.requests), or add capacity")
    if end is not None and not words:
        return _ended(end, container, Reason.POD_FAILED, "")
    return Trouble(Reason.POD_FAILED, words or "the Pod failed")


def _in_container(report: Manifest, container: Manifest) -> Trouble | None:
    waiting = section(report, "state", "waiting")
    reason = str(waiting.get("reason") or "")
    words = _joined(reason, " ".join(str(waiting.get("message") or "").split()))
    if reason in _IMAGE_REASONS:
        remedy = f"correct the image ({container.get('image', '')}), or its pull secret (imagePullSecrets)"
        return _trouble(Reason.IMAGE_PULL_FAILED, words, remedy)
    if reason in _START_REASONS:
        return _not_found(words, container) or _trouble(Reason.CONTAINER_FAILED, words, "edit the template")
    end = last_end(report)
    ended = bool(section(report, "state", "terminated")) and end is not None and end.exit_code != 0
    # Some kubelets say CrashLoopBackOff for the whole pause between two starts, others for a moment of it only.
    if end is not None and (reason == "CrashLoopBackOff" or (ended and report.get("restartCount"))):
        return _ended(end, container, Reason.CRASH_LOOP, "it ends again and again; last: ")
    if end is not None and ended:
        return _ended(end, container, Reason.CONTAINER_FAILED, "")
    return None


def _ended(end: End, container: Manifest, otherwise: Reason, prefix: str) -> Trouble:
    """The trouble that a container's end is a sign of."""
    words = f"{prefix}{end.sentence}"
    if end.reason == "OOMKilled":
        return _trouble(Reason.OOM_KILLED, words, "raise the memory limit (resources.limits.memory)")
    if end.exit_code == SHELL_NOT_FOUND:
        return _trouble(Reason.COMMAND_NOT_FOUND, words, _command_hint(container))
    found = _not_found(words, container)
    return found or _trouble(otherwise, words, "see its log (kubectl logs, with --previous after a restart)")


def _not_found(words: str, container: Manifest) -> Trouble | None:
    if any(sign in words for sign in _NOT_FOUND_WORDS) and "exec" in words:
        return _trouble(Reason.COMMAND_NOT_FOUND, words, _command_hint(container))
    return None


def _trouble(reason: Reason, words: str, remedy: str) -> Trouble:
    return Trouble(reason, f"{words.rstrip('.')}; {remedy}")


def _command_hint(container: Manifest) -> str:
    command = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    old = next((word for word in command if word in _OLD_COMMANDS), None)
    if old is not None:
        new = "dask cuda worker" if "cuda" in old else old.replace("-", " ")
        return f"images of today have no {old}: write [{', '.join(new.split())}] in args"
    return f"the image does not have the command {command[0] if command else 'that it is started with'}"


def _joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)
