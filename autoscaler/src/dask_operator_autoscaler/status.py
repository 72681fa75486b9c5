"""The status of a DaskAutoscaler, with conditions as a HorizontalPodAutoscaler has them: pure."""

from collections.abc import Iterable

from dask_operator_api.conditions import Condition, ConditionType, Reason, merged
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from dask_operator_autoscaler.decide import Decision, Memory
from dask_operator_autoscaler.observed import Autoscaler, Group

_LIMITS = {
    Reason.DESIRED_WITHIN_RANGE: "the number of workers is what the work asks for",
    Reason.TOO_MANY_REPLICAS: "the work asks for more workers than spec.maximum",
    Reason.TOO_FEW_REPLICAS: "the work asks for fewer workers than spec.minimum",
    Reason.SCALE_UP_LIMIT: "spec.behavior.scaleUp allows no more at a time",
    Reason.SCALE_DOWN_LIMIT: "spec.behavior.scaleDown allows no more to go at a time",
    Reason.WORKERS_IN_USE: "fewer are needed, and those there are have work: they go when they are idle",
    Reason.NO_ROOM_FOR_RESULTS: "fewer are needed, and the rest would have no room for the results",
    Reason.SHUFFLE_RUNNING: "fewer are needed, and a shuffle between the workers runs: nobody goes before it ends",
}
_ABLE = {
    Reason.READY_FOR_NEW_SCALE: "the number of workers can be changed",
    Reason.SCALE_UP_STABILIZED: "more are wanted, and spec.behavior.scaleUp has them wanted for longer first",
    Reason.SCALE_DOWN_STABILIZED: "fewer are wanted, and have not been for long enough to let workers go",
}


def unable(reason: Reason, message: str) -> list[Condition]:
    """The conditions of an autoscaler that has nothing to scale, or must not."""
    return [
        Condition(ConditionType.ABLE_TO_SCALE, False, reason, message),
        Condition(ConditionType.SCALING_ACTIVE, False, reason, message),
    ]


def suspended() -> list[Condition]:
    """The conditions of an autoscaler that the user has switched off."""
    words = "spec.suspend is true: nothing is changed"
    return [
        Condition(ConditionType.ABLE_TO_SCALE, True, Reason.READY_FOR_NEW_SCALE, words),
        Condition(ConditionType.SCALING_ACTIVE, False, Reason.SUSPENDED, words),
    ]


def decided(group: Group, decision: Decision, silence: tuple[Reason, str] | None) -> list[Condition]:
    """The conditions after a decision; ``silence`` says why the scheduler said nothing, if so."""
    active = Condition(
        ConditionType.SCALING_ACTIVE, True, Reason.SCHEDULER_ANSWERS, "the scheduler says what it wants"
    )
    if silence is not None:
        active = Condition(ConditionType.SCALING_ACTIVE, False, *silence)
    limit = _LIMITS.get(decision.limited) or f"no more workers are asked for: {group.trouble}"
    return [
        Condition(ConditionType.ABLE_TO_SCALE, True, decision.able, _ABLE[decision.able]),
        active,
        Condition(
            ConditionType.SCALING_LIMITED,
            decision.limited is not Reason.DESIRED_WITHIN_RANGE,
            decision.limited,
            limit,
        ),
    ]


def status(
    scaler: Autoscaler,
    conditions: Iterable[Condition],
    wall: float,
    group: Group | None = None,
    decision: Decision | None = None,
    scaled: bool = False,
) -> Manifest:
    """The whole status. What is not known now stands as it was."""
    before = scaler.status
    told = dict(before)
    told["observedGeneration"] = scaler.generation
    told["conditions"] = merged(before, conditions, scaler.generation, wall)
    if group is not None:
        told["currentReplicas"] = group.replicas
    if decision is not None:
        told["desiredReplicas"] = decision.replicas
        told["memory"] = decision.memory.as_status()
    if decision is not None and decision.wish is not None:
        told["wishedReplicas"] = decision.wish
    if scaled:
        told["lastScaleTime"] = rfc3339(wall)
    return told


def memory_in(told: Manifest) -> Memory:
    """The memory that a status holds."""
    held = told.get("memory")
    return Memory.parse(held) if isinstance(held, dict) else Memory()
