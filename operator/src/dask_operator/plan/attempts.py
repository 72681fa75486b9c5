"""The attempts of a job, as they stand in its status."""

from dataclasses import dataclass, field
from typing import Any

from dask_operator_api.conditions import ConditionType, Outcome, Reason, known_reason
from dask_operator_api.jobs import JobTemplate
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.times import rfc3339, timestamp

from dask_operator.observed import JobView

KEPT = 10
"""How many of the last attempts are remembered."""


@dataclass(frozen=True)
class JobAttempt:
    """One cluster and one runner Pod: made for each other, and gone together. Times are in seconds since the epoch."""

    number: int
    runner: str
    """The name of the Pod."""
    began: float
    cluster_uid: str = ""
    """Of its cluster, once that was seen."""
    runner_uid: str = ""
    """Of its Pod, once that was seen."""
    started: float = 0.0
    """When the program started; 0 before that."""
    scheduler_uid: str = ""
    """Of the Pod of the scheduler that the program works with, once that was Ready."""
    scheduler_restarts: int = 0
    """How often that Pod's container had been started again by then."""
    shut_down: bool = False
    """Whether that scheduler has ended well: somebody told it to, and nothing is lost with it."""
    restarts: int = 0
    """How often the program was started again in its Pod."""
    outcome: Outcome | None = None
    """None while it goes on."""
    ended: float = 0.0
    exit_code: int | None = None
    """Of the program's last end; None where it did not end by itself, or nobody knows."""
    message: str = ""
    log: str | None = None
    """The last lines of the program's log; None where they have not been read."""

    def as_status(self) -> Manifest:
        """One item of ``status.attempts``."""
        said: dict[str, Any] = {
            "number": self.number,
            "runner": self.runner,
            "beginTime": rfc3339(self.began),
            "clusterUID": self.cluster_uid,
            "runnerUID": self.runner_uid,
            "startTime": _time(self.started),
            "schedulerUID": self.scheduler_uid,
            "schedulerRestarts": self.scheduler_restarts,
            "schedulerShutDown": self.shut_down,
            "restarts": self.restarts,
            "outcome": self.outcome.value if self.outcome else "",
            "endTime": _time(self.ended),
            "message": self.message,
            "log": self.log or "",
        }
        known = {} if self.exit_code is None else {"exitCode": self.exit_code}
        return {key: value for key, value in said.items() if value} | known

    @classmethod
    def parse(cls, item: Manifest) -> "JobAttempt":
        """Read an item of ``status.attempts``."""
        return cls(
            number=int(item.get("number") or 0),
            runner=str(item.get("runner") or ""),
            began=timestamp(item.get("beginTime")) or 0.0,
            cluster_uid=str(item.get("clusterUID") or ""),
            runner_uid=str(item.get("runnerUID") or ""),
            started=timestamp(item.get("startTime")) or 0.0,
            scheduler_uid=str(item.get("schedulerUID") or ""),
            scheduler_restarts=int(item.get("schedulerRestarts") or 0),
            shut_down=bool(item.get("schedulerShutDown")),
            restarts=int(item.get("restarts") or 0),
            outcome=next((known for known in Outcome if known == item.get("outcome")), None),
            ended=timestamp(item.get("endTime")) or 0.0,
            exit_code=item.get("exitCode"),
            message=str(item.get("message") or ""),
            log=str(item.get("log") or "") if item.get("outcome") or "log" in item else None,
        )


@dataclass(frozen=True)
class Verdict:
    """How a job has ended: for good."""

    complete: bool
    reason: Reason
    message: str
    at: float
    """When that was decided, in seconds since the epoch."""


@dataclass(frozen=True)
class JobState:
    """What a job's status remembers."""

    attempts: tuple[JobAttempt, ...] = ()
    """The last ones, oldest first."""
    failures: int = 0
    """How many attempts ended by the program's own failure."""
    active_since: float | None = None
    """When it was begun, or resumed; None while it is suspended or has not begun."""
    started: float = 0.0
    """When its program started first since then; 0 before that."""
    copied: Manifest = field(default_factory=dict)
    """``spec.job`` and ``spec.cluster`` as they were then."""
    copied_generation: int = 0
    """The job's ``metadata.generation`` then."""
    verdict: Verdict | None = None

    @property
    def present(self) -> JobAttempt | None:
        """The attempt that goes on, if one does."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.outcome is None else None

    @property
    def last(self) -> JobAttempt | None:
        """The newest attempt, whether it goes on or has ended."""
        return self.attempts[-1] if self.attempts else None

    @property
    def template(self) -> JobTemplate:
        """What the attempts are made from."""
        return JobTemplate.parse(self.copied)


def state_of(job: JobView) -> JobState:
    """What the status of ``job`` remembers."""
    status = job.status
    return JobState(
        attempts=tuple(JobAttempt.parse(item) for item in items(status, "attempts")),
        failures=int(status.get("failures") or 0),
        active_since=timestamp(status.get("activeSince")),
        started=timestamp(status.get("startTime")) or 0.0,
        copied=section(status, "template"),
        copied_generation=int(status.get("templateGeneration") or 0),
        verdict=_verdict(status),
    )


def _verdict(status: Manifest) -> Verdict | None:
    for item in items(status, "conditions"):
        if (
            item.get("type") in (ConditionType.COMPLETE, ConditionType.FAILED)
            and item.get("status") == "True"
        ):
            complete = item.get("type") == ConditionType.COMPLETE
            return Verdict(
                complete,
                known_reason(item.get("reason")) or _plain_reason(complete),
                str(item.get("message") or ""),
                timestamp(item.get("lastTransitionTime")) or 0.0,
            )
    return _verdict_of_another_operator(status)


def _verdict_of_another_operator(status: Manifest) -> Verdict | None:
    """A job that ended before this operator was installed has no conditions: it must not run again."""
    if items(status, "conditions") or status.get("jobStatus") not in ("Successful", "Failed"):
        return None
    complete = status.get("jobStatus") == "Successful"
    at = timestamp(status.get("endTime")) or 0.0
    return Verdict(complete, _plain_reason(complete), "it ended under another operator", at)


def _plain_reason(complete: bool) -> Reason:
    return Reason.COMPLETED if complete else Reason.PROGRAM_FAILED


def _time(seconds: float) -> str:
    return rfc3339(seconds) if seconds else ""
