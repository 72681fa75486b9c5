"""The closed lists of condition types and reasons that appear in ``status.conditions``."""

from enum import StrEnum


class ConditionType(StrEnum):
    """A condition of a DaskCluster, DaskWorkerGroup or DaskAutoscaler."""

    READY = "Ready"
    """DaskCluster: a client can connect. DaskWorkerGroup: every wanted worker Pod is Ready."""
    WORKERS_READY = "WorkersReady"
    """DaskCluster: every worker Pod of every group is Ready."""
    WORKERS_CONNECTED = "WorkersConnected"
    """Every Ready worker Pod is known to the scheduler."""
    DRAIN_BLOCKED = "DrainBlocked"
    """Workers are to go, and cannot without losing results."""
    ABLE_TO_SCALE = "AbleToScale"
    """DaskAutoscaler: there is a group that it may scale."""
    SCALING_ACTIVE = "ScalingActive"
    """DaskAutoscaler: the scheduler says what it wants, and the autoscaler follows."""
    SCALING_LIMITED = "ScalingLimited"
    """DaskAutoscaler: the number of workers is not what the work alone would ask for."""


class Reason(StrEnum):
    """Why a condition has its status. One word for programs; the message is for people."""

    # well
    SCHEDULER_READY = "SchedulerReady"
    ALL_READY = "AllReady"
    ALL_CONNECTED = "AllConnected"
    NOT_BLOCKED = "NotBlocked"
    # on the way
    SCHEDULER_STARTING = "SchedulerStarting"
    WORKERS_STARTING = "WorkersStarting"
    CONNECTING = "Connecting"
    # waiting for somebody else
    CLUSTER_NOT_FOUND = "ClusterNotFound"
    NAME_CONFLICT = "NameConflict"
    NOT_CONNECTING = "NotConnecting"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    # waiting for the user
    POD_REFUSED = "PodRefused"
    SERVICE_REFUSED = "ServiceRefused"
    INVALID_SPEC = "InvalidSpec"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_FAILED = "ContainerFailed"
    CRASH_LOOP = "CrashLoop"
    POD_FAILED = "PodFailed"
    # drains
    SCHEDULER_UNREACHABLE = "SchedulerUnreachable"
    NO_ROOM_FOR_RESULTS = "NoRoomForResults"
    # autoscaling: AbleToScale
    READY_FOR_NEW_SCALE = "ReadyForNewScale"
    SCALE_UP_STABILIZED = "ScaleUpStabilized"
    SCALE_DOWN_STABILIZED = "ScaleDownStabilized"
    FAILED_UPDATE_SCALE = "FailedUpdateScale"
    DUPLICATE_TARGET = "DuplicateTarget"
    WORKER_GROUP_NOT_FOUND = "WorkerGroupNotFound"
    # autoscaling: ScalingActive
    SCHEDULER_ANSWERS = "SchedulerAnswers"
    SUSPENDED = "Suspended"
    NOT_SERVED = "NotServed"
    # autoscaling: ScalingLimited
    DESIRED_WITHIN_RANGE = "DesiredWithinRange"
    TOO_MANY_REPLICAS = "TooManyReplicas"
    TOO_FEW_REPLICAS = "TooFewReplicas"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    WORKERS_IN_USE = "WorkersInUse"
    SHUFFLE_RUNNING = "ShuffleRunning"


def known_reason(text: object) -> Reason | None:
    """The reason that ``text`` names; None for one that is not in the list, be it a newer or another program's."""
    return next((reason for reason in Reason if reason.value == text), None)


class Phase(StrEnum):
    """``status.phase`` of a DaskCluster: a summary for people and for existing clients. Nothing decides by it."""

    CREATED = "Created"
    PENDING = "Pending"
    RUNNING = "Running"
    ERROR = "Error"
