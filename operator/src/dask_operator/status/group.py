"""The status of a worker group."""

from dask_operator_api import labels
from dask_operator_api.conditions import Condition, ConditionType, Reason, merged
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from dask_operator.observed import GroupView, Trouble
from dask_operator.plan.world import GroupObserved, GroupPlan
from dask_operator.status.conditions import (
    Connections,
    Counts,
    Problem,
    connection,
    count,
    first_trouble,
    ready_condition,
)


def waiting_status(group: GroupView, reason: Reason, message: str, wall: float) -> Manifest:
    """The status of a group that has no cluster to work for."""
    desired = group.spec.worker.replicas
    ready = Condition(ConditionType.READY, False, reason, message)
    return {
        "observedGeneration": group.generation,
        "replicas": 0,
        "readyReplicas": 0,
        "selector": selector(group),
        "workers": Counts(desired, 0, 0).as_status(),
        "conditions": merged(group.status, [ready], group.generation, wall),
    }


def group_status(
    seen: GroupObserved, plan: GroupPlan, problem: Problem | None, stuck: Trouble | None = None
) -> Manifest:
    """The status of a group whose cluster is there. ``stuck`` is about Pods that take too long to start."""
    group = seen.group
    connections = Connections.of(seen.roster, seen.placement, seen.scheduler)
    counts = count(seen.pods, connections, group.spec.worker.replicas, group.status)
    return {
        "observedGeneration": group.generation,
        "replicas": sum(1 for pod in seen.pods if pod.alive),
        "readyReplicas": counts.ready,
        "updatedReplicas": sum(1 for pod in seen.pods if pod.alive and not seen.is_outdated(pod)),
        "selector": selector(group),
        "workers": counts.as_status(),
        "draining": [drain.as_status() for drain in plan.drains],
        "lastFailures": [failure.as_status() for failure in plan.failures],
        "lastWorkerIndex": plan.last_index,
        "unreachableSince": None if plan.unreachable_since is None else rfc3339(plan.unreachable_since),
        "conditions": merged(
            group.status,
            [
                _ready(seen, counts, problem, stuck),
                connection(seen.pods, connections, counts, group.status, seen.wall),
                _blocked(plan),
            ],
            group.generation,
            seen.wall,
        ),
    }


def selector(group: GroupView) -> str:
    """The label selector of the group's worker Pods, as ``/scale`` reports it."""
    return f"{labels.WORKER_GROUP_NAME}={group.name},{labels.COMPONENT}={labels.WORKER}"


def _ready(seen: GroupObserved, counts: Counts, problem: Problem | None, stuck: Trouble | None) -> Condition:
    kind = ConditionType.READY
    if problem is not None:
        return Condition(kind, False, problem.reason, problem.message)
    outdated = sum(1 for pod in seen.pods if pod.alive and seen.is_outdated(pod))
    return ready_condition(kind, counts, outdated, first_trouble(seen.pods, stuck))


def _blocked(plan: GroupPlan) -> Condition:
    if plan.blocked is None:
        return Condition(ConditionType.DRAIN_BLOCKED, False, Reason.NOT_BLOCKED)
    return Condition(ConditionType.DRAIN_BLOCKED, True, plan.blocked.reason, plan.blocked.message)
