"""Waiting until a cluster's scheduler is ready: what each look at it means, and the loop of looks.

The decisions are pure functions of what was seen and when.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from dask_operator_api.conditions import ConditionType, Reason
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client.errors import (
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
    Reason.IMAGE_PULL_FAILED: 5.0,
    Reason.QUOTA_EXCEEDED: 5.0,
    Reason.CONTAINER_FAILED: 10.0,
    Reason.POD_FAILED: 10.0,
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
class Verdict:
    """What one look came to: ready, or an error, or what is waited for."""

    line: str
    ready: bool = False
    error: ClusterError | None = None


def judge(body: Manifest | None, looks: Looks, now: float, patience: float) -> tuple[Verdict, Looks]:
    """What the DaskCluster ``body`` (None: it is gone) means at time ``now``.

    ``patience`` is how many seconds may pass without any change.
    """
    if body is None:
        return _failed(ClusterGone("the cluster was deleted while it was starting"), looks)
    condition = _ready_condition(body)
    reason = _reason(condition)
    looks = _remember(looks, _signature(body, condition), reason, now)
    message = str(condition.get("message") or "")
    if condition.get("status") == "True":
        return Verdict(message or "ready", ready=True), looks
    if reason in GRACE_SECONDS and now - looks.reason_since >= GRACE_SECONDS[reason]:
        return _failed(failure(reason, f"{_name(body)} cannot start: {message}"), looks)
    if now - looks.changed >= patience:
        return _failed(_out_of_patience(body, condition, patience), looks)
    return Verdict(_waiting_for(body, condition, now - looks.start)), looks


def interval(elapsed: float) -> float:
    """Seconds until the next look, ``elapsed`` seconds after the first: often at first, when most happens."""
    if elapsed < _QUICK_SECONDS:
        return _QUICK
    return _STEADY if elapsed < _STEADY_SECONDS else _SLOW


async def until_ready(
    observe: Callable[[], Awaitable[Manifest | None]],
    report: Callable[[str], None],
    patience: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Manifest:
    """Look until the cluster is ready, and give it as it then is.

    ``observe`` gives the DaskCluster, or None where it is gone; ``report`` gets each line to show.

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
            report(str(error))
        else:
            verdict, looks = judge(body, looks, clock(), patience)
            if verdict.error is not None:
                raise verdict.error
            if verdict.ready and body is not None:
                return body
            report(verdict.line)
        await sleep(interval(clock() - looks.start))


def _ready_condition(body: Manifest) -> Manifest:
    conditions = items(body, "status", "conditions")
    return next((item for item in conditions if item.get("type") == ConditionType.READY.value), {})


def _reason(condition: Manifest) -> Reason | None:
    """The reason in a word that this release knows; a newer operator may have more words."""
    word = condition.get("reason")
    return Reason(word) if word in set(Reason) else None


def _signature(body: Manifest, condition: Manifest) -> tuple[Any, ...]:
    """What counts as progress when it changes. A container that restarts again is none."""
    status = section(body, "status")
    return (
        status.get("phase"),
        condition.get("reason"),
        condition.get("message"),
        section(status, "scheduler").get("podUID"),
        section(status, "workers").get("ready"),
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
            f"the namespace {namespace}? An admin installs it with `helm install`"
        )
    message = condition.get("message") or "no condition says why"
    return WaitTimeout(
        f"{name} made no progress for {patience:g} s; it waits for this: {message}. See `kubectl describe "
        f"daskcluster {name} -n {namespace}`, or give a longer resource_timeout",
        _reason(condition),
    )


def _failed(error: ClusterError, looks: Looks) -> tuple[Verdict, Looks]:
    return Verdict(str(error), error=error), looks


def _name(body: Manifest) -> str:
    return str(section(body, "metadata").get("name", "the cluster"))
