"""The closed lists of condition types and reasons that appear in ``status.conditions``."""

from enum import StrEnum


class ConditionType(StrEnum):
    """A condition of a DaskCluster or DaskWorkerGroup."""

    READY = "Ready"
    """DaskCluster: a client can connect. DaskWorkerGroup: every wanted worker Pod is Ready."""
    WORKERS_READY = "WorkersReady"
    """DaskCluster: every worker Pod of every group is Ready."""
    WORKERS_CONNECTED = "WorkersConnected"
    """Every Ready worker Pod is known to the scheduler."""
    DRAIN_BLOCKED = "DrainBlocked"
    """Workers are to go, and cannot without losing results."""


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


def known_reason(text: object) -> Reason | None:
    """The reason that ``text`` names; None for one that is not in the list, be it a newer or another program's."""
    return next((reason for reason in Reason if reason.value == text), None)


class Phase(StrEnum):
    """``status.phase`` of a DaskCluster: a summary for people and for existing clients. Nothing decides by it."""

    CREATED = "Created"
    PENDING = "Pending"
    RUNNING = "Running"
    ERROR = "Error"
