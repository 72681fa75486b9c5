"""The status of a cluster that another operator has made of Deployments."""

from dask_operator_api import labels
from dask_operator_api.conditions import Condition, ConditionType, Reason, merged
from dask_operator_api.manifests import Manifest

from dask_operator.plan.legacy import LegacyObserved, LegacyPlan


def legacy_status(seen: LegacyObserved, plan: LegacyPlan, wall: float) -> Manifest:
    """What to tell of it: not more than whether clients can connect, and what becomes of it."""
    conditions = [_ready(seen, plan), _layout(seen, plan)]
    return {
        "observedGeneration": seen.cluster.generation,
        "conditions": merged(seen.cluster.status, conditions, seen.cluster.generation, wall),
    }


def _ready(seen: LegacyObserved, plan: LegacyPlan) -> Condition:
    pod = seen.scheduler_pod
    if pod is not None and pod.ready and not plan.moving:
        return Condition(ConditionType.READY, True, Reason.SCHEDULER_READY, "clients can connect")
    message = (
        "the cluster is made anew" if plan.moving else "the scheduler's Deployment has no Pod that is Ready"
    )
    return Condition(ConditionType.READY, False, Reason.SCHEDULER_STARTING, message)


def _layout(seen: LegacyObserved, plan: LegacyPlan) -> Condition:
    kind, name = ConditionType.LEGACY_LAYOUT, seen.cluster.name
    if plan.moving:
        left = len(seen.deployments) or f"Pods of {len(seen.pods)}"
        return Condition(
            kind, True, Reason.MOVING, f"{plan.moving}; waiting for {left} Deployments to be gone"
        )
    message = (
        f"another operator has made it of {len(seen.deployments)} Deployments, which are left as they are: it is not "
        f"scaled, and edits wait. {_until(seen, plan)}. To have it made anew at once, with what is in memory "
        f'lost: kubectl annotate --overwrite daskcluster {name} {labels.RESTART}="$(date)"'
    )
    return Condition(kind, True, Reason.MADE_OF_DEPLOYMENTS, message)


def _until(seen: LegacyObserved, plan: LegacyPlan) -> str:
    if seen.ends_with_job:
        return "It goes with the job that it was made for"
    return f"It is made anew of Pods when it is idle; now {plan.waits_for}"
