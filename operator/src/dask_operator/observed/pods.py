"""Views of Pods: what the Dask container in them does, and what is wrong with them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from sys import intern
from typing import Literal

from dask_operator_api import labels
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.specs import Metadata
from dask_operator_api.times import timestamp

from dask_operator.observed.objects import ObjectView, attempt_of, base_fields
from dask_operator.observed.trouble import End, Trouble, condition, find_trouble, last_end

DASHBOARD_PORT_NAME = "http-dashboard"
DASHBOARD_PORT = 8787

_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodView(ObjectView):
    """A Pod of a cluster or of a job.

    The state of the Dask container counts, which in a job's runner is that of the program, not the Pod's phase.
    """

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
    container: str
    """The name of the container that Dask runs in."""
    end: End | None
    """How that container ended last."""
    restarts: int
    started: float
    """When the running container started, in seconds since the epoch; 0 where none runs."""
    ready: bool
    finished: bool
    """The Dask container has ended and nothing will start it again."""
    trouble: Trouble | None
    handed_down: str
    """What was handed down to its metadata (:mod:`dask_operator.desired.metadata`), as stamped on it."""
    cluster_image: str
    """On a scheduler: ``spec.image`` of its cluster when it was made; empty where there was none."""
    default_image: str
    """On a scheduler: the image that its cluster keeps to where the user names none."""
    restart: str
    """On a scheduler: the value of its cluster's restart annotation when it was made."""
    placed: float
    """When it got its node, in seconds since the epoch; 0 where it has none."""
    deadline: float
    """When it has to be gone (its deletion and grace period), in seconds since the epoch; 0 if it may stay."""
    kept: bool
    """Whether a finalizer of somebody keeps it from going."""
    phase: str
    """In the words of Kubernetes: Pending, Running, Succeeded, Failed, Unknown."""
    attempt: int
    """On a job's runner: the number of the attempt that it was made for; 1 where it does not say."""
    disruption: str
    """Why the platform, not the program, ended it or is about to; empty where it does not."""
    active_limit: int
    """Seconds after which its node ends it; 0 for never."""

    @property
    def exit_code(self) -> int | None:
        """Of the last time the container ended."""
        return self.end.exit_code if self.end is not None else None

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

    @property
    def succeeded(self) -> bool:
        """Whether the Dask container has ended well, and nothing will start it again."""
        return self.finished and (self.exit_code == 0 or self.phase == "Succeeded")

    @property
    def ended_well(self) -> bool:
        """Whether that was its own doing: a Dask process that the platform tells to go ends with exit code 0 too."""
        return self.succeeded and not self.deleting and not self.disruption

    @property
    def over(self) -> bool:
        """Whether none of its containers, others than the Dask container too, runs or will run again."""
        return self.phase in _OVER


WORKER_STATES = ("unscheduled", "starting", "ready", "leaving", "ended")


def worker_states(pods: Iterable[PodView]) -> dict[str, int]:
    """How many worker Pods are in each of :data:`WORKER_STATES`."""
    counts = dict.fromkeys(WORKER_STATES, 0)
    for pod in pods:
        if pod.component == labels.WORKER:
            counts[_worker_state(pod)] += 1
    return counts


def _worker_state(pod: PodView) -> str:
    if pod.deleting:
        return "leaving"
    if pod.finished:
        return "ended"
    if pod.ready:
        return "ready"
    return "starting" if pod.node else "unscheduled"


def is_placement(before: ObjectView | None, after: ObjectView) -> bool:
    """Whether a Pod has just got its node, and nothing else has changed about it: nobody has to act on that."""
    return (
        isinstance(before, PodView)
        and isinstance(after, PodView)
        and not before.node
        and replace(before, node=after.node, placed=after.placed, version=after.version) == after
    )


def dask_container(spec: Manifest, name: str) -> Manifest:
    """The container that Dask runs in: the one of that name (its component's), else the first."""
    containers = items(spec, "containers")
    named = [container for container in containers if container.get("name") == name]
    return (named or containers or [{}])[0]


def pod_view(body: Manifest) -> PodView:
    """Read a Pod."""
    meta = Metadata.parse(section(body, "metadata"))
    spec, status = section(body, "spec"), section(body, "status")
    component = intern(meta.labels.get(labels.COMPONENT, ""))
    container = dask_container(spec, meta.annotations.get(labels.CONTAINER) or component)
    report = _container_status(status, str(container.get("name", "")))
    state = _state(report)
    index = meta.annotations.get(labels.WORKER_INDEX, "")
    return PodView(
        **base_fields(body),  # type: ignore[arg-type]
        cluster=intern(meta.labels.get(labels.CLUSTER_NAME, "")),
        cluster_uid=intern(meta.labels.get(labels.CLUSTER_UID, "")),
        component=component,
        group=intern(meta.labels.get(labels.WORKER_GROUP_NAME, "")),
        index=int(index) if index.isdigit() else 0,
        digest=intern(meta.annotations.get(labels.TEMPLATE_DIGEST, "")),
        created=timestamp(body["metadata"].get("creationTimestamp")) or 0.0,
        node=intern(spec.get("nodeName") or ""),
        ip=status.get("podIP") or "",
        http_port=_http_port(container),
        state=state,
        container=intern(str(container.get("name", ""))),
        end=last_end(report),
        restarts=int(report.get("restartCount", 0)),
        started=timestamp(section(report, "state", "running").get("startedAt")) or 0.0,
        ready=condition(status, "Ready").get("status") == "True",
        finished=_finished(spec, status, report, state),
        trouble=find_trouble(spec, status, report, container),
        handed_down=intern(meta.annotations.get(labels.HANDED_DOWN, "")),
        default_image=meta.annotations.get(labels.DEFAULT_IMAGE, ""),
        cluster_image=meta.annotations.get(labels.CLUSTER_IMAGE, ""),
        restart=meta.annotations.get(labels.RESTART, ""),
        placed=_placed(spec, status),
        deadline=timestamp(body["metadata"].get("deletionTimestamp")) or 0.0,
        kept=bool(body["metadata"].get("finalizers")),
        phase=intern(str(status.get("phase") or "")),
        attempt=attempt_of(meta),
        disruption=_disruption(status),
        active_limit=int(spec.get("activeDeadlineSeconds") or 0),
    )


def _disruption(status: Manifest) -> str:
    """What Kubernetes says where it has ended a Pod, or refused it on its node, for reasons of its own.

    A Pod whose own time is up is not disrupted: whoever wrote that wanted it so.
    """
    target = condition(status, "DisruptionTarget")
    if target.get("status") == "True":
        return f"{target.get('reason') or 'Disrupted'}: {target.get('message') or 'no further words'}"
    reason = str(status.get("reason") or "")
    if status.get("phase") != "Failed" or reason in ("", "DeadlineExceeded"):
        return ""
    return f"{reason}: {status.get('message') or 'no further words'}"


def _placed(spec: Manifest, status: Manifest) -> float:
    since = condition(status, "PodScheduled").get("lastTransitionTime")
    return timestamp(since) or 0.0 if spec.get("nodeName") else 0.0


def _container_status(status: Manifest, name: str) -> Manifest:
    return next((item for item in items(status, "containerStatuses") if item.get("name") == name), {})


def _state(report: Manifest) -> Literal["none", "waiting", "running", "terminated"]:
    state = section(report, "state")
    if "running" in state:
        return "running"
    if "terminated" in state:
        return "terminated"
    return "waiting" if "waiting" in state else "none"


def _finished(spec: Manifest, status: Manifest, report: Manifest, state: str) -> bool:
    if status.get("phase") in _OVER:
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
