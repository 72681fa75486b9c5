"""What clusters and groups have in common in their conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dask_operator_api.conditions import TROUBLE, Condition, ConditionType, Reason, known_reason
from dask_operator_api.manifests import Manifest, items, section

from dask_operator.errors import TERMINATING
from dask_operator.observed import PodView, Roster, Trouble
from dask_operator.observed.roster import Placement

SILENCE_SECONDS = 10.0
"""For how long (seconds) it is no news that a scheduler does not answer: mostly it has just been started."""

CONNECT_SECONDS = 30.0
"""A Ready worker that the scheduler does not know after this long is worth telling."""


@dataclass(frozen=True)
class Problem:
    """An act that the API server refused, in its own words, until the next try."""

    reason: Reason
    message: str
    kind: str = ""
    """The kind of the object that it was about; empty where that is not known."""
    final: bool = False
    """Whether the object can never be made as it is."""


def news(before: Manifest, after: Manifest) -> list[tuple[str, str]]:
    """Reason and message of each condition that has come into trouble between two statuses.

    That a namespace is about to be gone is no trouble, and no Event can be written there any more.
    """
    held = {
        item.get("type"): (item.get("status"), item.get("reason")) for item in items(before, "conditions")
    }
    told = {reason.value for reason in TROUBLE}
    return [
        (str(item["reason"]), str(item["message"]))
        for item in items(after, "conditions")
        if item["reason"] in told
        and held.get(item["type"]) != (item["status"], item["reason"])
        and TERMINATING not in item["message"]
    ]


def first_trouble(pods: Sequence[PodView], stuck: Trouble | None = None) -> Trouble | None:
    """What is wrong with the Pods: the first trouble by Pod name, with how many share it; else ``stuck``."""
    troubled = sorted((pod for pod in pods if pod.alive and pod.trouble), key=lambda pod: pod.name)
    if not troubled or troubled[0].trouble is None:
        return stuck
    trouble = troubled[0].trouble
    same = [pod for pod in troubled if pod.trouble and pod.trouble.reason == trouble.reason]
    more = f" (and {len(same) - 1} more Pods)" if len(same) > 1 else ""
    return Trouble(trouble.reason, f"Pod {troubled[0].name}{more}: {trouble.message}")


@dataclass(frozen=True)
class Counts:
    """Workers by how far they are."""

    desired: int
    ready: int
    connected: int

    def as_status(self) -> Manifest:
        """``status.workers``."""
        return {
            "desired": self.desired,
            "ready": self.ready,
            "connected": self.connected,
            "summary": f"{self.ready}/{self.desired}",
        }


@dataclass(frozen=True)
class Connections:
    """Which workers the scheduler knows, or that this is not known just now."""

    placement: Placement
    known: bool
    scheduler: PodView | None
    problem: str = ""
    """Why the scheduler could not be asked."""

    @classmethod
    def of(cls, roster: Roster | None, placement: Placement, scheduler: PodView | None) -> "Connections":
        """What is known. A scheduler that does not run has nobody connected; one not asked yet may have all."""
        serving = scheduler is not None and scheduler.serving
        problem = roster.problem if roster is not None else ""
        known = not serving or (roster is not None and roster.reachable)
        return cls(placement, known or bool(problem), scheduler, problem)


def count(pods: Sequence[PodView], connections: Connections, desired: int, status: Manifest) -> Counts:
    """Count worker Pods. ``connected`` are those with a worker process that the scheduler knows.

    While that is not known, the number in ``status`` stands.
    """
    alive = [pod for pod in pods if pod.alive]
    ready = sum(1 for pod in alive if pod.ready)
    connected = sum(1 for pod in alive if connections.placement.of(pod))
    if not connections.known:
        connected = min(len(alive), int(section(status, "workers").get("connected") or 0))
    return Counts(desired, ready, connected)


def ready_condition(kind: ConditionType, counts: Counts, outdated: int, trouble: Trouble | None) -> Condition:
    """Whether every wanted worker Pod is Ready and made from the present template."""
    message = f"{counts.ready} of {counts.desired} workers are Ready"
    if counts.ready >= counts.desired and not outdated:
        return Condition(kind, True, Reason.ALL_READY, message)
    if trouble is not None:
        return Condition(kind, False, trouble.reason, trouble.message)
    if outdated:
        return Condition(kind, False, Reason.ROLLING_OUT, f"{message}; {outdated} are of an older template")
    return Condition(kind, False, Reason.WORKERS_STARTING, message)


def lonely(pods: Iterable[PodView], placement: Placement) -> list[PodView]:
    """The Ready workers that the scheduler does not know."""
    return [pod for pod in pods if pod.alive and pod.ready and not placement.of(pod)]


def connecting_for(alone: Iterable[PodView], scheduler: PodView | None, wall: float) -> float:
    """How long (seconds) the first of some Ready workers has had to find its scheduler; 0 for none."""
    since_scheduler = scheduler.started if scheduler is not None else wall
    return max((wall - max(pod.started, since_scheduler) for pod in alone), default=0.0)


def connection(
    pods: Sequence[PodView], connections: Connections, counts: Counts, status: Manifest, wall: float
) -> Condition:
    """Whether every wanted worker is known to the scheduler. While it is not known, ``status`` stands."""
    kind = ConditionType.WORKERS_CONNECTED
    before = next((item for item in items(status, "conditions") if item.get("type") == kind.value), None)
    held = known_reason(before.get("reason")) if before is not None else None
    if not connections.known and before is not None and held is not None:
        return Condition(kind, before.get("status") == "True", held, str(before.get("message", "")))
    alone = lonely(pods, connections.placement)
    message = f"{counts.connected} of {counts.desired} workers are connected to the scheduler"
    if not alone and counts.connected >= counts.desired:
        return Condition(kind, True, Reason.ALL_CONNECTED, message)
    if not alone:
        return Condition(kind, False, Reason.WORKERS_STARTING, message)
    message += f"; {len(alone)} that are Ready are not, {min(pod.name for pod in alone)} among them"
    waited = connecting_for(alone, connections.scheduler, wall)
    if connections.problem and waited >= SILENCE_SECONDS:
        message += f"; the scheduler does not answer: {connections.problem}"
    if not connections.known or waited < CONNECT_SECONDS:
        return Condition(kind, False, Reason.CONNECTING, message)
    hint = "; see the worker's log: its image may hold another version of distributed"
    return Condition(kind, False, Reason.NOT_CONNECTING, message + hint)
