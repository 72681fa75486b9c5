"""What a user writes into a DaskJob, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dask_operator_api.manifests import Manifest, section, without_nulls
from dask_operator_api.specs import Metadata

DEFAULT_START_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class StartPolicy:
    """``spec.startPolicy``: when the program starts."""

    workers: int = 0
    """How many workers have to be connected before; 0: as soon as there is a cluster."""
    timeout: float | None = None
    """Seconds that an attempt may take until its program runs; None: any."""

    @classmethod
    def parse(cls, body: Mapping[str, Any] | None) -> "StartPolicy":
        """Read ``spec.startPolicy``; without one nothing is waited for, and nothing limits the wait."""
        if not body:
            return cls()
        timeout = _seconds(body, "timeoutSeconds")
        return cls(
            workers=int(body.get("workers") or 0),
            timeout=DEFAULT_START_TIMEOUT_SECONDS if timeout is None else timeout,
        )


@dataclass(frozen=True)
class JobSpec:
    """``spec`` of a DaskJob, templates aside."""

    backoff_limit: int | None = None
    """How many times a program that has failed gets a new attempt; None: as its ``restartPolicy`` says."""
    active_deadline: float | None = None
    """Seconds that the job may be active."""
    ttl: float | None = None
    """Seconds after its end at which the job is deleted; None: never."""
    suspend: bool = False
    start: StartPolicy = field(default_factory=StartPolicy)
    keep_on_success: float = 0.0
    """Seconds that the cluster outlives a program that succeeded."""
    keep_on_failure: float = 0.0
    """Seconds that the cluster outlives a job that failed."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "JobSpec":
        """Read a DaskJob's ``spec``."""
        limit = body.get("backoffLimit")
        policy = section(body, "cleanupPolicy")
        return cls(
            backoff_limit=None if limit is None else int(limit),
            active_deadline=_seconds(body, "activeDeadlineSeconds"),
            ttl=_seconds(body, "ttlSecondsAfterFinished"),
            suspend=bool(body.get("suspend")),
            start=StartPolicy.parse(section(body, "startPolicy")),
            keep_on_success=_seconds(section(policy, "onSuccess"), "keepClusterSeconds") or 0.0,
            keep_on_failure=_seconds(section(policy, "onFailure"), "keepClusterSeconds") or 0.0,
        )


@dataclass(frozen=True)
class JobTemplate:
    """``spec.job`` and ``spec.cluster`` of a DaskJob, as they were when it started."""

    runner: Metadata = field(default_factory=Metadata)
    pod: Manifest = field(default_factory=dict)
    cluster: Manifest = field(default_factory=dict)
    """The ``spec`` of the DaskCluster."""
    cluster_metadata: Metadata = field(default_factory=Metadata)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "JobTemplate":
        """Read a mapping with ``job`` and ``cluster`` in it."""
        return cls(
            runner=Metadata.parse(section(body, "job", "metadata")),
            pod=without_nulls(section(body, "job", "spec")),
            cluster=without_nulls(section(body, "cluster", "spec")),
            cluster_metadata=Metadata.parse(section(body, "cluster", "metadata")),
        )

    @property
    def restarts_in_place(self) -> bool:
        """Whether the template asks for a program that fails to be started again in its Pod."""
        return self.pod.get("restartPolicy") != "Never"


def _seconds(body: Mapping[str, Any], key: str) -> float | None:
    value = body.get(key)
    return None if value is None else float(value)
