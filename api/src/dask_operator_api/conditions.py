"""Conditions in the form of Kubernetes' API conventions, and the closed lists of their types and reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dask_operator_api.manifests import Manifest, items
from dask_operator_api.times import rfc3339

MESSAGE_MAX = 1024


class ConditionType(StrEnum):
    """A condition of a DaskCluster, DaskWorkerGroup, DaskJob or DaskAutoscaler."""

    READY = "Ready"
    """DaskCluster: a client can connect. DaskWorkerGroup: every wanted worker Pod is Ready."""
    WORKERS_READY = "WorkersReady"
    """DaskCluster: every worker Pod of every group is Ready."""
    WORKERS_CONNECTED = "WorkersConnected"
    """Every Ready worker Pod is known to the scheduler."""
    DRAIN_BLOCKED = "DrainBlocked"
    """Workers are to go, and cannot without losing results."""
    RESTART_PENDING = "RestartPending"
    """DaskCluster: the scheduler was edited, and the running one has not been replaced yet."""
    LEGACY_LAYOUT = "LegacyLayout"
    """DaskCluster: another operator has made it of Deployments, and it has not been moved yet."""
    COMPLETE = "Complete"
    """DaskJob: the program has ended with exit code 0. While it is False, its reason says how far the job is."""
    FAILED = "Failed"
    """DaskJob: it has ended otherwise, and nothing is tried any more."""
    SUSPENDED = "Suspended"
    """DaskJob: it is suspended, and nothing of it runs."""
    EDIT_IGNORED = "EditIgnored"
    """DaskJob: the Pod templates were edited after the start, which changes nothing."""
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
    UP_TO_DATE = "UpToDate"
    # on the way
    SCHEDULER_STARTING = "SchedulerStarting"
    WORKERS_STARTING = "WorkersStarting"
    CONNECTING = "Connecting"
    ROLLING_OUT = "RollingOut"
    CONTAINER_CREATING = "ContainerCreating"
    SCHEDULER_CHANGED = "SchedulerChanged"
    MADE_OF_DEPLOYMENTS = "MadeOfDeployments"
    MOVING = "Moving"
    # jobs
    COMPLETED = "Completed"
    NOT_FAILED = "NotFailed"
    NOT_SUSPENDED = "NotSuspended"
    JOB_SUSPENDED = "JobSuspended"
    SUSPENDING = "Suspending"
    CLEARING_AWAY = "ClearingAway"
    CLUSTER_STARTING = "ClusterStarting"
    WAITING_FOR_WORKERS = "WaitingForWorkers"
    RUNNER_STARTING = "RunnerStarting"
    PROGRAM_RUNNING = "ProgramRunning"
    PROGRAM_ENDED = "ProgramEnded"
    RETRYING = "Retrying"
    STARTED_BEFORE = "StartedBefore"
    PROGRAM_FAILED = "ProgramFailed"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    START_TIMEOUT = "StartTimeout"
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
    COMMAND_NOT_FOUND = "CommandNotFound"
    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    POD_FAILED = "PodFailed"
    SCHEDULER_LOST = "SchedulerLost"
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


TROUBLE = frozenset(
    {
        Reason.NAME_CONFLICT,
        Reason.NOT_CONNECTING,
        Reason.UNSCHEDULABLE,
        Reason.QUOTA_EXCEEDED,
        Reason.CONTAINER_CREATING,
        Reason.POD_REFUSED,
        Reason.SERVICE_REFUSED,
        Reason.INVALID_SPEC,
        Reason.IMAGE_PULL_FAILED,
        Reason.CONTAINER_FAILED,
        Reason.CRASH_LOOP,
        Reason.COMMAND_NOT_FOUND,
        Reason.OOM_KILLED,
        Reason.EVICTED,
        Reason.POD_FAILED,
        Reason.SCHEDULER_LOST,
        Reason.PROGRAM_FAILED,
        Reason.BACKOFF_LIMIT_EXCEEDED,
        Reason.DEADLINE_EXCEEDED,
        Reason.START_TIMEOUT,
    }
)
"""Reasons that somebody should hear of: each is told in an Event too."""


def known_reason(text: object) -> Reason | None:
    """The reason that ``text`` names; None for one that is not in the list, be it a newer or another program's."""
    return next((reason for reason in Reason if reason.value == text), None)


class Phase(StrEnum):
    """``status.phase`` of a DaskCluster: a summary for people and for existing clients. Nothing decides by it."""

    CREATED = "Created"
    PENDING = "Pending"
    RUNNING = "Running"
    ERROR = "Error"


class JobPhase(StrEnum):
    """``status.jobStatus`` of a DaskJob: a summary for people and for existing clients."""

    CREATED = "JobCreated"
    CLUSTER_CREATED = "ClusterCreated"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"


class Outcome(StrEnum):
    """How an attempt of a DaskJob ended."""

    SUCCEEDED = "Succeeded"
    PROGRAM_FAILED = "ProgramFailed"
    """The program's own failure: the only one that ``backoffLimit`` counts."""
    RUNNER_LOST = "RunnerLost"
    """Its Pod was deleted or evicted, or its node is gone."""
    SCHEDULER_LOST = "SchedulerLost"
    CLUSTER_LOST = "ClusterLost"
    SUSPENDED = "Suspended"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    START_TIMEOUT = "StartTimeout"
    REFUSED = "Refused"
    """The API server will never take its Pod or its cluster."""

    @property
    def is_loss(self) -> bool:
        """Whether the platform took away what the attempt needed."""
        return self in (Outcome.RUNNER_LOST, Outcome.SCHEDULER_LOST, Outcome.CLUSTER_LOST)


@dataclass(frozen=True)
class Condition:
    """One condition as it should stand."""

    type: ConditionType
    status: bool
    reason: Reason
    message: str = ""


def merged(status: Manifest, wanted: Iterable[Condition], generation: int, wall: float) -> list[Manifest]:
    """``status.conditions`` with ``wanted`` in it: a transition time changes only with its condition's status.

    Args:
        status: the one that is held.
        wanted: all conditions that there are to be.
        generation: of the object, as it was looked at.
        wall: now, in seconds since the epoch.
    """
    held = {item.get("type"): item for item in items(status, "conditions")}
    merged_conditions = []
    for condition in wanted:
        before = held.get(condition.type.value, {})
        word = "True" if condition.status else "False"
        since = before.get("lastTransitionTime") if before.get("status") == word else None
        merged_conditions.append(
            {
                "type": condition.type.value,
                "status": word,
                "reason": condition.reason.value,
                "message": condition.message[:MESSAGE_MAX],
                "observedGeneration": generation,
                "lastTransitionTime": since or rfc3339(wall),
            }
        )
    return merged_conditions
