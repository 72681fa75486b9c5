"""What every pass needs, and what passes remember between them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from dask_operator_api.conditions import Reason
from dask_operator_api.manifests import Manifest
from dask_operator_api.names import cluster_name_problem

from dask_operator.api_server.kube import Kube
from dask_operator.api_server.recorder import Recorder
from dask_operator.desired.owner import Owner
from dask_operator.errors import ApiError, Refused, TryAgain
from dask_operator.intake import Intake
from dask_operator.observed import ObjectView, PodView, Roster
from dask_operator.plan.cluster_world import Defaults
from dask_operator.plan.leftovers import Leftover
from dask_operator.plan.legacy import Asked
from dask_operator.plan.pulse import Pulse
from dask_operator.reconcile.lanes import Lanes
from dask_operator.reconcile.refusals import Refusals
from dask_operator.reconcile.statuses import StatusPace
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.settings import Settings
from dask_operator.status.conditions import news
from dask_operator.store import Key, Store

GONE_SECONDS = 1.0
"""Seconds until another look after something was gone: mostly the object itself, and the news is on its way."""


@dataclass
class Context:
    """The hands and the memory of all passes. What it remembers may be lost: the next pass finds out again."""

    settings: Settings
    kube: Kube
    store: Store
    intake: Intake
    desk: SchedulerDesk
    recorder: Recorder
    clock: Callable[[], float]
    """Monotonic seconds."""
    wall: Callable[[], float]
    """Seconds since the epoch."""
    refused: Callable[[str], None] = lambda _reason: None
    """Told of the reason of everything that the API server refuses."""
    left: Callable[[str], None] = lambda _outcome: None
    """Told how it ended, of every worker that was chosen to go."""
    uncertain: dict[str, set[int]] = field(default_factory=dict)
    """Group uid → numbers of workers of whose creation nobody knows the outcome."""
    spared: dict[Leftover, float] = field(default_factory=dict)
    """Workers of clusters that are gone → when (monotonic seconds) they were found to stay on purpose."""
    clearing: set[Key] = field(default_factory=set)
    """Clusters of whose name is being deleted what earlier ones have left."""
    vacating: dict[Key, float] = field(default_factory=dict)
    """Clusters of whose name earlier ones have Pods that are about to go → since when (monotonic seconds)."""
    pulses: dict[Key, Pulse] = field(default_factory=dict)
    """Clusters → what is known of their clients, where those have asked to be missed."""
    legacy: dict[str, tuple[float, Asked]] = field(default_factory=dict)
    """Pod uid of another operator's scheduler → when (monotonic seconds) it was asked, and what it said."""
    made: dict[Key, list[str]] = field(default_factory=dict)
    """Clusters → what was made for them and is not told yet."""
    lanes: Lanes = field(init=False)
    refusals: Refusals = field(init=False)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _words: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Pod uid → when (monotonic seconds) its Events were read, and what the last of them said."""
    _statuses: StatusPace = field(default_factory=StatusPace)

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.settings.parallel_creates)
        self.refusals = Refusals(self.clock)

    @property
    def defaults(self) -> Defaults:
        """What the install chooses for clusters that are silent about it."""
        chosen = self.settings
        return Defaults(chosen.default_image, chosen.disruption_budget, chosen.default_pull_secrets)

    def refuse(
        self,
        key: Key,
        about: Owner,
        generations: tuple[int, ...],
        reason: Reason,
        error: Refused,
    ) -> None:
        """Remember a refusal, and tell it in an Event, unless everything there is about to go anyway."""
        problem = self.refusals.remember(key, generations, reason, error)
        self.refused(problem.reason.value)
        if not error.is_terminating:
            self.recorder.tell(about, problem.reason, problem.message, warning=True)

    def has_good_name(self, about: Owner) -> bool:
        """Whether a cluster can have the name of an object, which its own or its cluster's is; tells if it cannot."""
        problem = cluster_name_problem(about.name)
        if problem is not None:
            self.recorder.tell(about, Reason.INVALID_SPEC, problem, warning=True)
        return problem is None

    def settle(self, group_uid: str, numbers: set[int]) -> None:
        """The Pods of workers with these numbers are known to have been made."""
        left = self.uncertain.get(group_uid, set()) - numbers
        if left:
            self.uncertain[group_uid] = left
        else:
            self.uncertain.pop(group_uid, None)

    def forget(self, key: Key) -> None:
        """Forget an object that is gone."""
        self.refusals.forget(key)
        self.made.pop(key, None)
        self._statuses.settled(key)
        self.pulses.pop(key, None)

    async def words_about(
        self, pod: PodView, seconds: float, find: "Callable[[Context, PodView], Awaitable[str]]"
    ) -> str:
        """What ``find`` says about a Pod, found out anew when it is older than ``seconds``."""
        at, words = self._words.get(pod.uid, (0.0, ""))
        if not words or self.clock() - at >= seconds:
            self._words = {
                uid: held for uid, held in self._words.items() if self.clock() - held[0] < 10 * seconds
            }
            words = await find(self, pod)
            self._words[pod.uid] = (self.clock(), words)
        return words

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done that no pass waits for, and that handles its own errors."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget_spared(self, seconds: float) -> None:
        """Forget which workers were found to stay longer than ``seconds`` ago."""
        limit = self.clock() - seconds
        self.spared = {leftover: at for leftover, at in self.spared.items() if at > limit}

    async def write_status(
        self, key: Key, view: Owner, wanted: Manifest, urgent: bool = False, exact: bool = False
    ) -> float | None:
        """Make the status what is wanted, if it differs.

        Gives the seconds until it may be written, where that can wait; it cannot if it is ``urgent``.

        Raises:
            Conflict: with ``exact``, the object is not what ``view`` says any more.
        """
        if all(view.status.get(name) == value for name, value in wanted.items()):
            self._statuses.settled(key)
            return None
        wait = 0.0 if urgent else self._statuses.wait(key, view.status, wanted, self.clock())
        if wait > 0:
            return wait
        for reason, message in news(view.status, wanted):
            self.recorder.tell(view, reason, message, warning=True)
        version = {"resourceVersion": str(view.version)} if exact else {}
        body = {"metadata": {"uid": view.uid, **version}, "status": wanted}
        answer = await self.kube.patch(key.kind, view.namespace, view.name, body, "status")
        self._statuses.settled(key)
        self.intake.saw(key.kind, answer)
        return None

    async def delete(self, kind: str, view: ObjectView, at_once: bool = False) -> None:
        """Delete an object, that very one; ``at_once`` waits for no kubelet."""
        left = await self.kube.delete(kind, view.namespace, view.name, view.uid, at_once)
        if left is not None:
            self.intake.saw(kind, left)

    def connection_check(
        self, key: Key, scheduler: PodView, roster: Roster | None, waited: float
    ) -> float | None:
        """Ask the scheduler for its workers, less and less often the longer (seconds) some have been missing.

        Gives the seconds until it is worth asking again; None where the answer will wake ``key``.
        """
        if not scheduler.ready:
            return None
        interval = min(15.0, max(0.25, waited / 4))
        age = self.clock() - roster.arrived if roster is not None else interval
        if age < interval:
            return interval - age
        return self.desk.ask(scheduler, key)


def as_retry(error: ApiError) -> ApiError:
    """An error as the queue understands it: what has changed is worth a fresh look."""
    return error if isinstance(error, (TryAgain, Refused)) else TryAgain(str(error))


def names_of(pods: Iterable[PodView]) -> str:
    """The names of some Pods for a message, not too many of them."""
    listed = sorted(pod.name for pod in pods)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
