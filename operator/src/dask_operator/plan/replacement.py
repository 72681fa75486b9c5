"""Workers that ended though nobody retired them, and when they are replaced: at once, unless they keep ending."""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from dask_operator_api.manifests import Manifest, items
from dask_operator_api.times import rfc3339, timestamp

from dask_operator.observed import GroupView, PodView
from dask_operator.plan import backoff

KEPT = 5
"""How many of the last failures are remembered."""

SHORT_LIFE_SECONDS = 60.0
"""A worker that lived longer than this is no sign that its template is broken."""


@dataclass(frozen=True)
class Failure:
    """A worker that ended although nobody retired it."""

    pod: str
    at: float
    """When, in seconds since the epoch: a Pod that is replaced, when that was noticed."""
    exit_code: int | None
    reason: str
    """In one word, Kubernetes': Error, OOMKilled, Evicted, ..."""
    message: str
    short: bool
    """Whether it lived too short to have been of use."""
    template: str
    """The digest of the template that it was made from."""
    restarted: bool = False
    """Whether the container was started again in its Pod."""
    log: str | None = None
    """The last lines of its log; None where they have not been read."""

    def as_status(self) -> Manifest:
        """One item of ``status.lastFailures``."""
        known = {} if self.exit_code is None else {"exitCode": self.exit_code}
        return {
            "pod": self.pod,
            "time": rfc3339(self.at),
            "reason": self.reason,
            "message": self.message,
            "log": self.log or "",
            "restarted": self.restarted,
            "shortLived": self.short,
            "template": self.template,
            **known,
        }


def failures(
    group: GroupView,
    pods: Iterable[PodView],
    retired: Set[str],
    scheduler: PodView | None,
    wall: float,
) -> tuple[Failure, ...]:
    """The group's last failures, oldest first: those in its status, and those that its ``pods`` show.

    Having been retired is a good reason to end, and so is having lost the scheduler.
    """
    known = [_from_status(item) for item in items(group.status, "lastFailures")]
    told = {_identity(failure) for failure in known}
    shown = [
        failure
        for pod in pods
        if pod.uid not in retired and not pod.deleting
        for failure in _shown_by(pod, scheduler, wall)
    ]
    new = [failure for failure in shown if _identity(failure) not in told]
    return tuple(sorted([*known, *new], key=lambda failure: failure.at)[-KEPT:])


def delay(known: tuple[Failure, ...], template: str, wall: float) -> float:
    """Seconds to wait before a worker is replaced: 0 at first, then longer with each round of short lives.

    Workers that ended within one second are one round; another ``template`` (its digest) starts anew.
    """
    ends = {float(int(failure.at)) for failure in known if failure.short and failure.template == template}
    return backoff.delay(ends, wall)


def _identity(failure: Failure) -> tuple[str, int]:
    """A Pod is replaced once; its container may be started again often."""
    return (failure.pod, int(failure.at) if failure.restarted else 0)


def _shown_by(pod: PodView, scheduler: PodView | None, wall: float) -> list[Failure]:
    if pod.finished:
        return [] if _lost_scheduler(pod, scheduler) else [_replaced(pod, wall)]
    if pod.restarts and pod.end is not None and pod.end.exit_code != 0:
        end = pod.end
        words = end.message or f"exit code {end.exit_code}"
        return [
            Failure(pod.name, end.at, end.exit_code, end.reason, words, False, pod.digest, restarted=True)
        ]
    return []


def _lost_scheduler(pod: PodView, scheduler: PodView | None) -> bool:
    """Whether a worker ended, and well, because the scheduler that it started with is gone."""
    alone = scheduler is None or not scheduler.serving or scheduler.started > pod.created
    return pod.exit_code == 0 and alone


def _replaced(pod: PodView, wall: float) -> Failure:
    message = pod.trouble.message if pod.trouble else "the worker ended although nobody retired it"
    reason = pod.trouble.reason.value if pod.trouble else "Completed"
    if pod.end is not None and pod.end.reason:
        reason = pod.end.reason
    short = wall - pod.created < SHORT_LIFE_SECONDS
    return Failure(pod.name, wall, pod.exit_code, reason, message, short, pod.digest)


def _from_status(item: Manifest) -> Failure:
    return Failure(
        pod=str(item.get("pod", "")),
        at=timestamp(item.get("time")) or 0.0,
        exit_code=item.get("exitCode"),
        reason=str(item.get("reason", "")),
        message=str(item.get("message", "")),
        short=bool(item.get("shortLived")),
        template=str(item.get("template", "")),
        restarted=bool(item.get("restarted")),
        log=str(item.get("log", "")),
    )
