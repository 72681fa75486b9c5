"""When a worker that ended is replaced: at once, unless workers of the group keep ending."""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from dask_operator_api.manifests import Manifest, items

from dask_operator.observed import GroupView, PodView
from dask_operator.observed.objects import timestamp
from dask_operator.plan.drains import rfc3339

KEPT = 5
"""How many of the last failures are remembered."""

WINDOW_SECONDS = 600.0
"""Failures older than this do not count."""

SHORT_LIFE_SECONDS = 60.0
"""A worker that lived longer than this is no sign that its template is broken."""

_FREE = 2
_FIRST_DELAY = 5.0
_LONGEST_DELAY = 300.0


@dataclass(frozen=True)
class Failure:
    """A worker Pod that ended although nobody retired it."""

    pod: str
    at: float
    """When it was noticed, in seconds since the epoch."""
    exit_code: int | None
    message: str
    short: bool
    """Whether it lived too short to have been of use."""
    template: str
    """The digest of the template that it was made from."""

    def as_status(self) -> Manifest:
        """One item of ``status.lastFailures``."""
        known = {} if self.exit_code is None else {"exitCode": self.exit_code}
        return {
            "pod": self.pod,
            "time": rfc3339(self.at),
            "message": self.message,
            "shortLived": self.short,
            "template": self.template,
            **known,
        }


def failures(
    group: GroupView,
    finished: Iterable[PodView],
    retired: Set[str],
    scheduler: PodView | None,
    wall: float,
) -> tuple[Failure, ...]:
    """The group's last failures, oldest first, with the Pods in ``finished`` that ended for no good reason.

    Having been retired is a good reason, and so is having lost the scheduler.
    """
    known = [_from_status(item) for item in items(group.status, "lastFailures")]
    told = {failure.pod for failure in known}
    new = [
        _from_pod(pod, wall)
        for pod in finished
        if pod.uid not in retired and pod.name not in told and not _lost_scheduler(pod, scheduler)
    ]
    return tuple([*known, *new][-KEPT:])


def delay(known: tuple[Failure, ...], template: str, wall: float) -> float:
    """Seconds to wait before a worker is replaced: 0 at first, then longer with each round of short lives.

    Workers that ended at the same time are one round. Another ``template`` (its digest) starts anew.
    """
    rounds = {
        int(failure.at)
        for failure in known
        if failure.short and wall - failure.at < WINDOW_SECONDS and failure.template == template
    }
    if len(rounds) <= _FREE:
        return 0.0
    pause = min(_LONGEST_DELAY, _FIRST_DELAY * 4.0 ** (len(rounds) - _FREE - 1))
    return max(0.0, max(rounds) + pause - wall)


def _lost_scheduler(pod: PodView, scheduler: PodView | None) -> bool:
    """Whether a worker ended, and well, because the scheduler that it started with is gone."""
    alone = scheduler is None or not scheduler.serving or scheduler.started > pod.created
    return pod.exit_code == 0 and alone


def _from_pod(pod: PodView, wall: float) -> Failure:
    message = pod.trouble.message if pod.trouble else "the worker ended although nobody retired it"
    short = wall - pod.created < SHORT_LIFE_SECONDS
    return Failure(pod.name, wall, pod.exit_code, message, short, pod.digest)


def _from_status(item: Manifest) -> Failure:
    return Failure(
        pod=str(item.get("pod", "")),
        at=timestamp(item.get("time")) or 0.0,
        exit_code=item.get("exitCode"),
        message=str(item.get("message", "")),
        short=bool(item.get("shortLived")),
        template=str(item.get("template", "")),
    )
