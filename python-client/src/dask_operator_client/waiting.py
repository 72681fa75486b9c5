"""Waiting until a cluster's scheduler is ready: what each look at it means, and the loop of looks.

The decisions are pure functions of what was seen and when.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from dask_operator_api.conditions import TROUBLE, ConditionType, Reason, known_reason
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client.errors import (
    INSTALL,
    ClusterError,
    ClusterGone,
    KubernetesUnavailable,
    OperatorMissing,
    WaitTimeout,
    failure,
)

UNNOTICED_SECONDS = 5.0
"""So long without any status means that probably nobody is there to write one."""

GRACE_SECONDS = {
    Reason.POD_REFUSED: 0.0,
    Reason.SERVICE_REFUSED: 0.0,
    Reason.INVALID_SPEC: 0.0,
    Reason.CRASH_LOOP: 0.0,
    # a name may be an old cluster's; a registry, a quota or a first start may fail once and then be well
    Reason.NAME_CONFLICT: 3.0,
    Reason.COMMAND_NOT_FOUND: 3.0,
    Reason.IMAGE_PULL_FAILED: 5.0,
    Reason.QUOTA_EXCEEDED: 5.0,
    Reason.CONTAINER_FAILED: 10.0,
    Reason.POD_FAILED: 10.0,
    Reason.OOM_KILLED: 10.0,
}
"""Reasons that waiting does not mend, and how long each may stand before it is believed."""

_QUICK_SECONDS, _QUICK = 10.0, 0.1
_STEADY_SECONDS, _STEADY = 60.0, 0.25
_SLOW = 1.0


@dataclass(frozen=True)
class Looks:
    """What is remembered from earlier looks. Times are seconds on one clock."""

    start: float
    changed: float
    """When anything last changed."""
    seen: tuple[Any, ...] = ()
    reason: Reason | None = None
    reason_since: float = 0.0

    @classmethod
    def starting(cls, now: float) -> "Looks":
        """Nothing was seen yet."""
        return cls(start=now, changed=now, reason_since=now)


@dataclass(frozen=True)
class Row:
    """One part of a cluster, as people see it."""

    what: str
    state: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What one look came to: ready, or an error, or what is waited for."""

    line: str
    ready: bool = False
    error: ClusterError | None = None
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Goal:
    """What is waited for: a scheduler that clients can connect to, or so many connected workers."""

    workers: int | None = None

    def condition(self, body: Manifest) -> Manifest:
        """The condition that tells about it."""
        kind = ConditionType.READY if self.workers is None else ConditionType.WORKERS_READY
        conditions = items(body, "status", "conditions")
        return next((item for item in conditions if item.get("type") == kind.value), {})

    def reached(self, body: Manifest) -> bool:
        """Whether it is there."""
        if self.workers is None:
            return self.condition(body).get("status") == "True"
        return int(section(body, "status", "workers").get("connected") or 0) >= self.workers


SCHEDULER_READY = Goal()


def judge(
    body: Manifest | None, looks: Looks, now: float, patience: float, goal: Goal = SCHEDULER_READY
) -> tuple[Verdict, Looks]:
    """What the DaskCluster ``body`` (None: it is gone) means at time ``now``.

    ``patience`` is how many seconds may pass without any change.
    """
    if body is None:
        return _failed(ClusterGone("the cluster was deleted while it was starting"), looks)
    condition = goal.condition(body)
    reason = known_reason(condition.get("reason"))
    looks = _remember(looks, _signature(body, condition), reason, now)
    message = str(condition.get("message") or "")
    if goal.reached(body):
        return Verdict(message or "ready", ready=True, rows=rows(body)), looks
    if reason in GRACE_SECONDS and now - looks.reason_since >= GRACE_SECONDS[reason]:
        return _failed(failure(reason, f"{_name(body)} cannot start: {message}"), looks)
    if now - looks.changed >= patience:
        return _failed(_out_of_patience(body, condition, patience), looks)
    return Verdict(_waiting_for(body, condition, now - looks.start), rows=rows(body)), looks


def rows(body: Manifest) -> tuple[Row, ...]:
    """The scheduler, its Service and the workers as they are, with the reason where one is not well."""
    if not section(body, "status"):
        return ()
    ready, workers = SCHEDULER_READY.condition(body), Goal(0).condition(body)
    refused = ready.get("reason") == Reason.SERVICE_REFUSED.value
    up = ready.get("status") == "True"
    counts = section(body, "status", "workers")
    state = f"{counts.get('connected') or 0} of {counts.get('desired') or 0} connected"
    return (
        Row("scheduler", *_state(ready)) if not refused else Row("scheduler", "waiting"),
        Row("service", *_state(ready)) if refused else Row("service", "ready" if up else "waiting"),
        Row("workers", state, "" if workers.get("status") == "True" else str(workers.get("message") or "")),
    )


def _state(condition: Manifest) -> tuple[str, str]:
    if condition.get("status") == "True":
        return "ready", ""
    reason = known_reason(condition.get("reason"))
    word = reason.value if reason in TROUBLE else "waiting"
    return word, str(condition.get("message") or "")


def interval(elapsed: float) -> float:
    """Seconds until the next look, ``elapsed`` seconds after the first: often at first, when most happens."""
    if elapsed < _QUICK_SECONDS:
        return _QUICK
    return _STEADY if elapsed < _STEADY_SECONDS else _SLOW


async def until_ready(
    observe: Callable[[], Awaitable[Manifest | None]],
    report: Callable[[Verdict], None],
    patience: float,
    goal: Goal = SCHEDULER_READY,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    explain: Callable[[Goal, Manifest], Awaitable[str]] | None = None,
) -> Manifest:
    """Look until the goal is reached, and give the cluster as it then is.

    ``observe`` gives the DaskCluster, or None where it is gone; ``report`` gets what to show after each look;
    ``explain`` gives the last lines of a log to go with an error.

    Raises:
        ClusterFailed: the cluster cannot start as it is described.
        WaitTimeout, OperatorMissing: nothing changed for ``patience`` seconds.
        ClusterGone: it was deleted meanwhile.
    """
    looks = Looks.starting(clock())
    while True:
        try:
            body = await observe()
        except KubernetesUnavailable as error:
            if clock() - looks.changed >= patience:
                raise
            report(Verdict(str(error)))
        else:
            verdict, looks = judge(body, looks, clock(), patience, goal)
            if verdict.error is not None:
                raise verdict.error.with_details(
                    await explain(goal, body) if explain and body else "", _next_step(verdict.error, body)
                )
            if verdict.ready and body is not None:
                return body
            report(verdict)
        await sleep(interval(clock() - looks.start))


async def until_drained(
    observe: Callable[[], Awaitable[Manifest]],
    patience: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look until a worker group that was scaled to 0 has no worker left.

    Raises:
        WaitTimeout: for ``patience`` seconds none of them went; the message is that of the group's condition.
    """
    start = changed = clock()
    left: Any = None
    while True:
        body = await observe()
        status, metadata = section(body, "status"), section(body, "metadata")
        told = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
        now = status.get("replicas") if told else None
        if told and not now:
            return
        if now != left:
            left, changed = now, clock()
        if clock() - changed >= patience:
            raise WaitTimeout(_not_drained(body, left, patience))
        await sleep(interval(clock() - start))


def _not_drained(body: Manifest, left: Any, patience: float) -> str:
    blocked = [
        item
        for item in items(body, "status", "conditions")
        if item.get("type") == ConditionType.DRAIN_BLOCKED
    ]
    why = next(
        (str(item.get("message")) for item in blocked if item.get("status") == "True"),
        "no condition says why",
    )
    number = left if left is not None else "an unknown number of"
    return (
        f"{_name(body)} still has {number} workers, and none has gone for "
        f"{patience:g} s: {why}. It stays, scaled to 0; delete it with drain=False to give up what its workers hold"
    )


_QUOTA = "kubectl describe resourcequota -n {namespace}"
_EVENTS = "kubectl get events -n {namespace} --field-selector involvedObject.kind=Pod"


def _next_step(error: ClusterError, body: Manifest | None) -> str:
    """The command that tells more, and works even where the cluster is deleted by then; empty where there is none."""
    if body is None or error.reason is None:
        return ""
    command = _QUOTA if error.reason is Reason.QUOTA_EXCEEDED else _EVENTS
    return command.format(namespace=section(body, "metadata").get("namespace"))


def _signature(body: Manifest, condition: Manifest) -> tuple[Any, ...]:
    """What counts as progress when it changes. A container that restarts again is none."""
    status = section(body, "status")
    return (
        status.get("phase"),
        condition.get("reason"),
        condition.get("message"),
        section(status, "scheduler").get("podUID"),
        section(status, "workers").get("ready"),
        section(status, "workers").get("connected"),
    )


def _remember(looks: Looks, seen: tuple[Any, ...], reason: Reason | None, now: float) -> Looks:
    if reason != looks.reason:
        looks = replace(looks, reason=reason, reason_since=now)
    return looks if seen == looks.seen else replace(looks, seen=seen, changed=now)


def _waiting_for(body: Manifest, condition: Manifest, elapsed: float) -> str:
    if not section(body, "status"):
        if elapsed >= UNNOTICED_SECONDS:
            return "no operator has noticed it yet: is dask-operator installed?"
        return "waiting for the operator"
    message = condition.get("message") or "waiting for the scheduler"
    workers = section(body, "status", "workers").get("summary")
    return f"{message} (workers ready: {workers})" if workers else str(message)


def _out_of_patience(body: Manifest, condition: Manifest, patience: float) -> ClusterError:
    name, namespace = _name(body), section(body, "metadata").get("namespace")
    if not section(body, "status"):
        return OperatorMissing(
            f"no operator has noticed {name} for {patience:g} s: is dask-operator installed, and does it watch "
            f"the namespace {namespace}? {INSTALL}"
        )
    message = condition.get("message") or "no condition says why"
    return WaitTimeout(
        f"{name} made no progress for {patience:g} s; it waits for this: {message}. See `kubectl describe "
        f"daskcluster {name} -n {namespace}`, or give a longer resource_timeout",
        known_reason(condition.get("reason")),
    )


def _failed(error: ClusterError, looks: Looks) -> tuple[Verdict, Looks]:
    return Verdict(str(error), error=error), looks


def _name(body: Manifest) -> str:
    return str(section(body, "metadata").get("name", "the cluster"))
