"""Small worlds for the tests of the operator: views and bodies with only what a test is about spelled out."""

from typing import Any

from dask_operator.desired import scheduler_metadata, scheduler_service, worker_digest
from dask_operator.observed import ClusterView, DaskWorker, GroupView, PodView, Roster, ServiceView
from dask_operator.observed.objects import cluster_view, group_view, service_view
from dask_operator.observed.pods import pod_view
from dask_operator.plan.cluster_world import Defaults
from dask_operator.plan.world import Attempt, Departure, GroupObserved, GroupPlan
from dask_operator_api import names
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

WALL = 1_700_000_000.0
"""Now, in seconds since the epoch."""

NOW = 5_000.0
"""Now, in monotonic seconds."""

DEFAULT_IMAGE = "chart/default:1"
DEFAULTS = Defaults(DEFAULT_IMAGE)
CLUSTER_UID = "cluster-uid"
GROUP_UID = "group-uid"

_PHASES = {"running": "Running", "waiting": "Pending", "unscheduled": "Pending", "none": "Pending"}


def owned_by(kind: str, uid: str, name: str = "owner") -> list[Manifest]:
    return [
        {
            "apiVersion": "kubernetes.dask.org/v1",
            "kind": kind,
            "name": name,
            "uid": uid,
            "controller": True,
        }
    ]


def cluster_body(name: str = "c", uid: str = CLUSTER_UID, **parts: Any) -> Manifest:
    """A DaskCluster; ``spec``, ``status`` and everything of ``metadata`` can be given."""
    metadata = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": "1", "generation": 1}
    metadata |= parts.get("metadata", {})
    return {
        "kind": "DaskCluster",
        "metadata": metadata,
        "spec": parts.get("spec", {}),
        "status": parts.get("status", {}),
    }


def cluster(name: str = "c", **parts: Any) -> ClusterView:
    return cluster_view(cluster_body(name, **parts))


def group_body(name: str = "c-default", replicas: int = 1, **parts: Any) -> Manifest:
    """A DaskWorkerGroup of cluster ``c``; ``worker``, ``status`` and ``metadata`` can be given."""
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": parts.get("uid", GROUP_UID),
        "resourceVersion": "1",
        "generation": 1,
        "ownerReferences": owned_by("DaskCluster", CLUSTER_UID, "c"),
    }
    metadata |= parts.get("metadata", {})
    worker = {"replicas": replicas, **parts.get("worker", {})}
    return {
        "kind": "DaskWorkerGroup",
        "metadata": metadata,
        "spec": {"cluster": parts.get("cluster", "c"), "worker": worker},
        "status": parts.get("status", {}),
    }


def group(name: str = "c-default", replicas: int = 1, **parts: Any) -> GroupView:
    return group_view(group_body(name, replicas, **parts))


def container_state(state: str, exit_code: int = 0, age: float = 300.0) -> Manifest:
    if state == "running":
        return {"running": {"startedAt": rfc3339(WALL - age)}}
    if state == "terminated":
        return {"terminated": {"exitCode": exit_code, "reason": "Completed" if exit_code == 0 else "Error"}}
    return {"waiting": {"reason": "ContainerCreating"}} if state == "waiting" else {}


def worker_body(number: int, state: str = "running", **parts: Any) -> Manifest:
    """Worker Pod number ``number``; ``state``: unscheduled, waiting, running, or terminated (with exit code 0)."""
    of, uid = parts.get("group", "c-default"), parts.get("group_uid", GROUP_UID)
    age = parts.get("age", 300.0)
    metadata: Manifest = {
        "name": names.worker_pod_name(of, uid, number),
        "namespace": "ns",
        "uid": f"{of}-{number}",
        "resourceVersion": str(number),
        "creationTimestamp": rfc3339(WALL - age),
        "labels": {
            "dask.org/cluster-name": "c",
            "dask.org/component": "worker",
            "dask.org/workergroup-name": of,
            "kubernetes.dask.org/cluster-uid": CLUSTER_UID,
        },
        "annotations": {"kubernetes.dask.org/worker-index": str(number)},
        "ownerReferences": owned_by("DaskWorkerGroup", uid, of),
    }
    if parts.get("deleting"):
        metadata["deletionTimestamp"] = rfc3339(WALL)
    spec: Manifest = {"restartPolicy": "OnFailure", "containers": [{"name": "worker"}]}
    if state != "unscheduled":
        spec["nodeName"] = parts.get("node", "node-1")
    exit_code = parts.get("exit_code", 0)
    phase = "Succeeded" if exit_code == 0 else "Failed"
    ready = "True" if parts.get("ready", state == "running") else "False"
    status = {
        "phase": parts.get("phase", _PHASES.get(state, phase)),
        "podIP": parts.get("ip", f"10.0.0.{number}") if state == "running" else "",
        "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [{"name": "worker", "state": container_state(state, exit_code, age)}],
    }
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def worker(number: int, state: str = "running", **parts: Any) -> PodView:
    return pod_view(worker_body(number, state, **parts))


def scheduler_body(state: str = "running", uid: str = "scheduler-uid", **parts: Any) -> Manifest:
    """The scheduler Pod of cluster ``c``."""
    metadata: Manifest = {
        "name": "c-scheduler",
        "namespace": "ns",
        "uid": uid,
        "resourceVersion": parts.get("version", "1"),
        "creationTimestamp": rfc3339(WALL - 300),
        "labels": {
            "dask.org/cluster-name": "c",
            "dask.org/component": "scheduler",
            "kubernetes.dask.org/cluster-uid": CLUSTER_UID,
        },
        "annotations": {
            "kubernetes.dask.org/handed-down": scheduler_metadata(cluster()).stamp,
            **parts.get("annotations", {}),
        },
        "ownerReferences": owned_by(
            parts.get("owner_kind", "DaskCluster"), parts.get("owner", CLUSTER_UID), "c"
        ),
    }
    if parts.get("deleting"):
        metadata["deletionTimestamp"] = rfc3339(WALL)
    report: Manifest = {"name": "scheduler", "restartCount": parts.get("restarts", 0)}
    report["state"] = container_state(state, age=parts.get("age", 300.0))
    ready = "True" if parts.get("ready", state == "running") else "False"
    status = {
        "phase": parts.get("phase", _PHASES.get(state, "Succeeded")),
        "podIP": "10.0.0.250",
        "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [report],
    }
    spec = {"restartPolicy": "OnFailure", "nodeName": "node-1", "containers": [{"name": "scheduler"}]}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def scheduler(state: str = "running", uid: str = "scheduler-uid", **parts: Any) -> PodView:
    return pod_view(scheduler_body(state, uid, **parts))


def process(pod: PodView, nth: int | None = None, **load: int) -> DaskWorker:
    """A worker process in ``pod``, as its scheduler knows it; ``busy``, ``results`` and ``memory`` can be given."""
    name = pod.name if nth is None else f"{pod.name}-{nth}"
    return DaskWorker(
        address=f"tcp://{pod.ip}:{40000 + (nth or 0)}",
        name=name,
        host=pod.ip,
        busy=load.get("busy", 0),
        results=load.get("results", 0),
        memory=load.get("memory", 0),
    )


def roster(*workers: DaskWorker, age: float = 0.5) -> Roster:
    """What the scheduler said ``age`` seconds ago."""
    return Roster("scheduler-uid/0", NOW - age, NOW - age, workers, with_loads=True)


def silence(age: float = 0.5, problem: str = "connection refused", lasting: float = 3600.0) -> Roster:
    """The scheduler did not answer ``age`` seconds ago, and not since ``lasting`` seconds ago."""
    return Roster("scheduler-uid/0", NOW - age, NOW - age, problem=problem, silent_since=NOW - lasting)


def draining(*pods: PodView, since: float = WALL - 5) -> list[Manifest]:
    """``status.draining`` with these Pods in it."""
    return [{"pod": pod.name, "uid": pod.uid, "since": rfc3339(since)} for pod in pods]


def blocked(since: float, reason: str = "SchedulerUnreachable") -> Manifest:
    """A DrainBlocked condition that is True since then (epoch seconds)."""
    return {"type": "DrainBlocked", "status": "True", "reason": reason, "lastTransitionTime": rfc3339(since)}


def observed(of: GroupView, *pods: PodView, **parts: Any) -> GroupObserved:
    """A group in its world: the scheduler runs and knows every running Pod, unless said otherwise.

    ``answered``: uid → when (monotonic seconds) the scheduler last answered a request to retire it.
    """
    known = roster(*(process(pod) for pod in pods if pod.running))
    return GroupObserved(
        group=of,
        cluster=cluster(),
        scheduler=parts.get("scheduler", scheduler()),
        pods=pods,
        roster=parts.get("roster", known),
        in_flight=frozenset(parts.get("in_flight", ())),
        siblings=parts.get("siblings", pods),
        attempts={uid: Attempt(at) for uid, at in parts.get("answered", {}).items()},
        held=parts.get("held", False),
        template=parts.get("template", worker_digest(of.spec.worker, "")),
        uncertain=frozenset(parts.get("uncertain", ())),
        now=parts.get("now", NOW),
        wall=parts.get("wall", WALL),
    )


def service(of: ClusterView, **metadata: Any) -> ServiceView:
    """The Service as the operator made it for ``of``."""
    body = scheduler_service(of)
    body["metadata"] |= {"uid": "service-uid", "resourceVersion": "5", **metadata}
    return service_view(body)


def removed(plan: GroupPlan) -> set[str]:
    return {removal.pod.uid for removal in plan.remove}


def departures(plan: GroupPlan) -> list[Departure | None]:
    return [removal.departure for removal in plan.remove]


def leaving(plan: GroupPlan) -> list[str]:
    return [drain.uid for drain in plan.drains]


def retired(plan: GroupPlan) -> set[str]:
    return {pod.uid for pod in plan.retire}
