"""The status of a cluster."""

from dask_operator_api import labels, names
from dask_operator_api.conditions import ConditionType, Phase, Reason, known_reason
from dask_operator_api.manifests import Manifest, items, section

from dask_operator.desired.scheduler import COMM_PORT
from dask_operator.observed import GroupView, PodView
from dask_operator.observed.pods import DASHBOARD_PORT
from dask_operator.plan.cluster import ClusterObserved, ClusterPlan
from dask_operator.status.conditions import (
    Condition,
    Connections,
    Counts,
    Problem,
    connection,
    count,
    first_trouble,
    merged,
)

_ERRORS = {
    Reason.NAME_CONFLICT,
    Reason.POD_REFUSED,
    Reason.SERVICE_REFUSED,
    Reason.INVALID_SPEC,
    Reason.IMAGE_PULL_FAILED,
    Reason.CONTAINER_FAILED,
    Reason.CRASH_LOOP,
}


def cluster_status(
    seen: ClusterObserved, plan: ClusterPlan, problem: Problem | None, wall: float
) -> Manifest:
    """The status of a cluster that is not being deleted."""
    cluster = seen.cluster
    connections = Connections.of(seen.roster, seen.placement, seen.own_scheduler)
    default = next((g for g in seen.groups if g.name == names.default_group_name(cluster.name)), None)
    desired = sum(g.spec.worker.replicas for g in seen.groups if g.owner in ("", cluster.uid))
    if default is None:
        desired += cluster.spec.worker.replicas
    counts = count(seen.workers, connections, desired, cluster.status)
    ready = _ready(seen, plan, problem)
    conditions = [
        ready,
        _workers_ready(seen, counts),
        connection(seen.workers, connections, counts, cluster.status, wall),
    ]
    host = names.scheduler_host(cluster.name, cluster.namespace)
    return {
        "phase": _phase(seen, ready).value,
        "observedGeneration": cluster.generation,
        "image": plan.image,
        "defaultImage": plan.default_image,
        "schedulerAddress": f"tcp://{host}:{COMM_PORT}",
        "dashboardAddress": f"http://{host}:{DASHBOARD_PORT}/status",
        "scheduler": _scheduler(seen),
        "workers": counts.as_status(),
        "replicas": _replicas(seen, default),
        "selector": f"{labels.WORKER_GROUP_NAME}={names.default_group_name(cluster.name)}",
        "conditions": merged(cluster.status, conditions, cluster.generation, wall),
    }


def _replicas(seen: ClusterObserved, default: GroupView | None) -> int:
    if default is None:
        return 0
    return sum(1 for pod in seen.workers if pod.alive and pod.group == default.name)


def _scheduler(seen: ClusterObserved) -> Manifest:
    """The scheduler's part: ``restarts`` counts the lives that it has had after the first."""
    before = section(seen.cluster.status, "scheduler")
    restarts = int(before.get("restarts") or 0)
    pod = seen.own_scheduler
    if pod is None:
        return {**before, "ready": False, "restarts": restarts}
    last_uid, last_restarts = before.get("podUID"), int(before.get("containerRestarts") or 0)
    if last_uid and last_uid != pod.uid:
        restarts += 1 + pod.restarts
    elif last_uid:
        restarts += max(0, pod.restarts - last_restarts)
    return {
        "podName": pod.name,
        "podUID": pod.uid,
        "containerRestarts": pod.restarts,
        "restarts": restarts,
        "ready": pod.ready and pod.alive,
    }


def _ready(seen: ClusterObserved, plan: ClusterPlan, problem: Problem | None) -> Condition:
    kind = ConditionType.READY
    if plan.conflicts:
        return Condition(kind, False, Reason.NAME_CONFLICT, plan.conflicts[0].message)
    if problem is not None:
        return Condition(kind, False, problem.reason, problem.message)
    pod = seen.own_scheduler
    service = seen.service is not None and seen.service.owner == seen.cluster.uid
    if pod is not None and pod.alive and pod.ready and service:
        return Condition(kind, True, Reason.SCHEDULER_READY, "clients can connect")
    trouble = first_trouble([pod]) if pod is not None else None
    if trouble is not None:
        return Condition(kind, False, trouble.reason, trouble.message)
    return Condition(kind, False, Reason.SCHEDULER_STARTING, _waiting_for(pod, service))


def _waiting_for(pod: PodView | None, service: bool) -> str:
    if pod is None:
        return "the scheduler Pod does not exist yet"
    if pod.deleting:
        return f"waiting for the old scheduler Pod {pod.name} to be gone"
    if not pod.ready:
        return f"waiting for the scheduler Pod {pod.name} to be Ready"
    return "" if service else "the scheduler's Service does not exist yet"


def _workers_ready(seen: ClusterObserved, counts: Counts) -> Condition:
    kind = ConditionType.WORKERS_READY
    message = f"{counts.ready} of {counts.desired} workers are Ready"
    if counts.ready >= counts.desired:
        return Condition(kind, True, Reason.ALL_READY, message)
    trouble = first_trouble(seen.workers)
    if trouble is not None:
        return Condition(kind, False, trouble.reason, trouble.message)
    return _told_by_group(seen) or Condition(kind, False, Reason.WORKERS_STARTING, message)


def _told_by_group(seen: ClusterObserved) -> Condition | None:
    """What a group says that keeps it from having its Pods at all, such as a refused template."""
    for group in seen.groups:
        for item in items(group.status, "conditions"):
            starting = item.get("reason") == Reason.WORKERS_STARTING.value
            if (
                item.get("type") == ConditionType.READY.value
                and item.get("status") == "False"
                and not starting
            ):
                message = f"group {group.name}: {item.get('message', '')}"
                reason = known_reason(item.get("reason")) or Reason.WORKERS_STARTING
                return Condition(ConditionType.WORKERS_READY, False, reason, message)
    return None


def _phase(seen: ClusterObserved, ready: Condition) -> Phase:
    if ready.status:
        return Phase.RUNNING
    if ready.reason in _ERRORS:
        return Phase.ERROR
    return Phase.CREATED if seen.scheduler is None else Phase.PENDING
