"""Views of Pods: what the Dask container in them does, and what is wrong with them."""

from dataclasses import dataclass
from typing import Literal

from dask_operator_api import labels
from dask_operator_api.conditions import Reason
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.specs import Metadata

from dask_operator.observed.objects import ObjectView, base_fields, timestamp

DASHBOARD_PORT_NAME = "http-dashboard"
DASHBOARD_PORT = 8787

_IMAGE_REASONS = {
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
}
_START_REASONS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
}


@dataclass(frozen=True)
class Trouble:
    """What keeps a Pod from being well, in the words of Kubernetes."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class PodView(ObjectView):
    """A scheduler or worker Pod. The state of the Dask container counts, not the Pod's phase."""

    cluster: str
    cluster_uid: str
    component: str
    group: str
    index: int
    """A worker's number in its group; 0 where the Pod has none."""
    digest: str
    created: float
    node: str
    ip: str
    http_port: int
    state: Literal["none", "waiting", "running", "terminated"]
    exit_code: int | None
    """Of the last time the container ended."""
    restarts: int
    started: float
    """When the running container started, in seconds since the epoch; 0 where none runs."""
    ready: bool
    finished: bool
    """The Dask container has ended and nothing will start it again."""
    trouble: Trouble | None

    @property
    def alive(self) -> bool:
        """Whether the Pod counts as a worker, or will."""
        return not self.deleting and not self.finished

    @property
    def serving(self) -> bool:
        """Whether the Dask container runs and will go on: nobody deletes the Pod."""
        return self.running and not self.deleting

    @property
    def running(self) -> bool:
        """Whether the Dask container runs."""
        return self.state == "running"


def dask_container(spec: Manifest, name: str) -> Manifest:
    """The container that Dask runs in: the one of that name (its component's), else the first."""
    containers = items(spec, "containers")
    named = [container for container in containers if container.get("name") == name]
    return (named or containers or [{}])[0]


def pod_view(body: Manifest) -> PodView:
    """Read a Pod."""
    meta = Metadata.parse(section(body, "metadata"))
    spec, status = section(body, "spec"), section(body, "status")
    component = meta.labels.get(labels.COMPONENT, "")
    container = dask_container(spec, meta.annotations.get(labels.CONTAINER) or component)
    report = _container_status(status, str(container.get("name", "")))
    state = _state(report)
    index = meta.annotations.get(labels.WORKER_INDEX, "")
    return PodView(
        **base_fields(body),  # type: ignore[arg-type]
        cluster=meta.labels.get(labels.CLUSTER_NAME, ""),
        cluster_uid=meta.labels.get(labels.CLUSTER_UID, ""),
        component=component,
        group=meta.labels.get(labels.WORKER_GROUP_NAME, ""),
        index=int(index) if index.isdigit() else 0,
        digest=meta.annotations.get(labels.TEMPLATE_DIGEST, ""),
        created=timestamp(body["metadata"].get("creationTimestamp")) or 0.0,
        node=spec.get("nodeName") or "",
        ip=status.get("podIP") or "",
        http_port=_http_port(container),
        state=state,
        exit_code=_exit_code(report),
        restarts=int(report.get("restartCount", 0)),
        started=timestamp(section(report, "state", "running").get("startedAt")) or 0.0,
        ready=_condition(status, "Ready").get("status") == "True",
        finished=_finished(spec, status, report, state),
        trouble=_trouble(status, report),
    )


def _container_status(status: Manifest, name: str) -> Manifest:
    return next((item for item in items(status, "containerStatuses") if item.get("name") == name), {})


def _state(report: Manifest) -> Literal["none", "waiting", "running", "terminated"]:
    state = section(report, "state")
    if "running" in state:
        return "running"
    if "terminated" in state:
        return "terminated"
    return "waiting" if "waiting" in state else "none"


def _exit_code(report: Manifest) -> int | None:
    for key in ("state", "lastState"):
        ended = section(report, key, "terminated")
        if ended:
            return int(ended.get("exitCode", 0))
    return None


def _finished(spec: Manifest, status: Manifest, report: Manifest, state: str) -> bool:
    if status.get("phase") in ("Succeeded", "Failed"):
        return True
    if state != "terminated":
        return False
    policy = spec.get("restartPolicy")
    exit_code = section(report, "state", "terminated").get("exitCode")
    return policy == "Never" or (policy == "OnFailure" and exit_code == 0)


def _http_port(container: Manifest) -> int:
    ports = items(container, "ports")
    return next(
        (int(p["containerPort"]) for p in ports if p.get("name") == DASHBOARD_PORT_NAME), DASHBOARD_PORT
    )


def _condition(status: Manifest, kind: str) -> Manifest:
    return next((item for item in items(status, "conditions") if item.get("type") == kind), {})


def _trouble(status: Manifest, report: Manifest) -> Trouble | None:
    placed = _condition(status, "PodScheduled")
    if placed.get("status") == "False":
        return Trouble(Reason.UNSCHEDULABLE, str(placed.get("message") or "no node can take the Pod"))
    if status.get("phase") == "Failed":
        return Trouble(
            Reason.POD_FAILED, _sentence(status) or _sentence(_last_end(report)) or "the Pod failed"
        )
    waiting = section(report, "state", "waiting")
    reason = str(waiting.get("reason") or "")
    if reason in _IMAGE_REASONS:
        return Trouble(Reason.IMAGE_PULL_FAILED, _sentence(waiting))
    if reason in _START_REASONS:
        return Trouble(Reason.CONTAINER_FAILED, _sentence(waiting))
    if reason == "CrashLoopBackOff":
        return Trouble(Reason.CRASH_LOOP, f"{_sentence(waiting)}; last end: {_sentence(_last_end(report))}")
    ended = section(report, "state", "terminated")
    if ended and ended.get("exitCode") != 0:
        return Trouble(Reason.CONTAINER_FAILED, _sentence(ended))
    return None


def _last_end(report: Manifest) -> Manifest:
    return section(report, "lastState", "terminated") or section(report, "state", "terminated")


def _sentence(state: Manifest) -> str:
    """The reason, exit code and message of a container state or Pod status, in one line."""
    code = f"exit code {state['exitCode']}" if "exitCode" in state else ""
    parts = [str(state.get("reason") or ""), code, " ".join(str(state.get("message") or "").split())]
    return ": ".join(part for part in parts if part)
