"""The status of a DaskAutoscaler that nobody serves: pure. Otherwise its status is the autoscaler's to write."""

from dask_operator_api.conditions import Condition, ConditionType, Reason, merged
from dask_operator_api.manifests import Manifest

from dask_operator.observed import AutoscalerView

WORDS = (
    "nobody looks after DaskAutoscalers: the operator was installed with autoscaler.enabled=false. Scale the worker "
    "group by hand, or ask whoever installed the operator"
)


def unserved_status(scaler: AutoscalerView, wall: float) -> Manifest:
    """The status: what an autoscaler may have written before, but for the conditions, is not touched."""
    conditions = [
        Condition(kind, False, Reason.NOT_SERVED, WORDS)
        for kind in (ConditionType.ABLE_TO_SCALE, ConditionType.SCALING_ACTIVE)
    ]
    held: Manifest = {"conditions": list(scaler.conditions)}
    told = merged(held, conditions, scaler.generation, wall)
    return {"observedGeneration": scaler.generation, "conditions": told}
