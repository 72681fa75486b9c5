"""The status of a cluster."""

from dataclasses import dataclass

from dask_operator_api import labels, names
from dask_operator_api.conditions import Condition, ConditionType, Phase, Reason, known_reason, merged
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.times import rfc3339

from dask_operator import __version__
from dask_operator.desired import wanted_groups
from dask_operator.desired.scheduler import COMM_PORT
from dask_operator.observed import GroupView, PodView, Trouble
from dask_operator.observed.pods import DASHBOARD_PORT
from dask_operator.plan.cluster import ClusterPlan
from dask_operator.plan.cluster_world import ClusterObserved
from dask_operator.plan.scheduler import SchedulerPlan
from dask_operator.status.conditions import (
    Connections,
    Counts,
    Problem,
    connection,
    count,
    first_trouble,
    ready_condition,
)
from dask_operator.status.scheduler import scheduler_status

_RESTART_HINT = (
    "it is replaced when the cluster is idle; to have that at once: "
    'kubectl annotate --overwrite daskcluster {name} {key}="$(date)"'
)

_ERRORS = {
    Reason.NAME_CONFLICT,
    Reason.POD_REFUSED,
    Reason.SERVICE_REFUSED,
    Reason.INVALID_SPEC,
    Reason.IMAGE_PULL_FAILED,
    Reason.CONTAINER_FAILED,
    Reason.CRASH_LOOP,
    Reason.COMMAND_NOT_FOUND,
    Reason.OOM_KILLED,
    Reason.SCHEDULER_LOST,
}


@dataclass(frozen=True)
class Told:
    """What was found out for a status beside what was observed."""

    problem: Problem | None = None
    """What the API server has refused."""
    stuck: Trouble | None = None
    """About Pods that take too long to start."""
    log: str = ""
    """The last lines of a scheduler that has just ended."""


def cluster_status(seen: ClusterObserved, plan: ClusterPlan, told: Told) -> Manifest:
    """The status of a cluster that is not being deleted."""
    cluster, wall = seen.cluster, seen.wall
    connections = Connections.of(seen.roster, seen.placement, seen.own_scheduler)
    default = next((g for g in seen.groups if g.name == names.default_group_name(cluster.name)), None)
    desired = sum(g.spec.worker.replicas for g in seen.groups if g.owner in ("", cluster.uid))
    made = {group.name for group in seen.groups}
    desired += sum(group.replicas for group in wanted_groups(cluster) if group.name not in made)
    counts = count(seen.workers, connections, desired, cluster.status)
    ready = _ready(seen, plan, told)
    conditions = [
        ready,
        _workers_ready(seen, plan, counts, told),
        connection(seen.workers, connections, counts, cluster.status, wall),
        _restart_pending(seen, plan),
    ]
    host = names.scheduler_host(cluster.name, cluster.namespace)
    return {
        "phase": _phase(seen, ready).value,
        "observedGeneration": cluster.generation,
        "operatorVersion": __version__,
        "image": plan.image,
        "defaultImage": plan.default_image,
        "schedulerAddress": f"tcp://{host}:{COMM_PORT}",
        "dashboardAddress": f"http://{host}:{DASHBOARD_PORT}/status",
        "scheduler": scheduler_status(seen, plan.scheduler, told.log),
        "workers": counts.as_status(),
        "replicas": _replicas(seen, default),
        "selector": f"{labels.WORKER_GROUP_NAME}={names.default_group_name(cluster.name)}",
        "conditions": merged(cluster.status, conditions, cluster.generation, wall),
    }


def _replicas(seen: ClusterObserved, default: GroupView | None) -> int:
    if default is None:
        return 0
    return sum(1 for pod in seen.workers if pod.alive and pod.group == default.name)


def _ready(seen: ClusterObserved, plan: ClusterPlan, told: Told) -> Condition:
    kind = ConditionType.READY
    if plan.conflicts:
        return Condition(kind, False, Reason.NAME_CONFLICT, plan.conflicts[0].message)
    if told.problem is not None:
        return Condition(kind, False, told.problem.reason, told.problem.message)
    pod = seen.own_scheduler
    service = seen.service is not None and seen.service.owner == seen.cluster.uid
    if pod is not None and pod.alive and pod.ready and service:
        return Condition(kind, True, Reason.SCHEDULER_READY, "clients can connect")
    if plan.scheduler.wait is not None:
        return Condition(kind, False, Reason.SCHEDULER_LOST, _lost_again(seen, plan.scheduler))
    stuck = told.stuck if pod is not None and not pod.running else None
    trouble = first_trouble([pod], stuck) if pod is not None else None
    if trouble is not None:
        return Condition(kind, False, trouble.reason, trouble.message)
    return Condition(kind, False, Reason.SCHEDULER_STARTING, _waiting_for(pod, service))


def _lost_again(seen: ClusterObserved, plan: SchedulerPlan) -> str:
    next_at = rfc3339(seen.wall + (plan.wait or 0.0) + 0.5)
    end = section(seen.cluster.status, "scheduler", "lastEnd")
    last = f"; its last end: {end.get('reason')}, exit code {end.get('exitCode')}" if end else ""
    return f"the scheduler was lost {len(plan.losses)} times lately{last}; the next one is made at {next_at}"


def _restart_pending(seen: ClusterObserved, plan: ClusterPlan) -> Condition:
    kind = ConditionType.RESTART_PENDING
    if not plan.scheduler.pending:
        return Condition(kind, False, Reason.UP_TO_DATE)
    hint = _RESTART_HINT.format(name=seen.cluster.name, key=labels.RESTART)
    message = f"the scheduler was edited, and {plan.scheduler.pending}; {hint}"
    return Condition(kind, True, Reason.SCHEDULER_CHANGED, message)


def _waiting_for(pod: PodView | None, service: bool) -> str:
    if pod is None:
        return "the scheduler Pod does not exist yet"
    if pod.deleting:
        return f"waiting for the old scheduler Pod {pod.name} to be gone"
    if not pod.ready:
        return f"waiting for the scheduler Pod {pod.name} to be Ready"
    return "" if service else "the scheduler's Service does not exist yet"


def _workers_ready(seen: ClusterObserved, plan: ClusterPlan, counts: Counts, told: Told) -> Condition:
    kind = ConditionType.WORKERS_READY
    condition = ready_condition(kind, counts, plan.outdated, first_trouble(seen.workers, told.stuck))
    if condition.reason in (Reason.WORKERS_STARTING, Reason.ROLLING_OUT):
        return _told_by_group(seen) or condition
    return condition


def _told_by_group(seen: ClusterObserved) -> Condition | None:
    """What a group says that keeps it from having its Pods at all, such as a refused template."""
    on_the_way = (Reason.WORKERS_STARTING.value, Reason.ROLLING_OUT.value)
    for group in seen.groups:
        for item in items(group.status, "conditions"):
            starting = item.get("reason") in on_the_way
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
