"""Talking to schedulers in the background: nothing that reconciles ever waits for one.

Answers are kept, and announce themselves by putting the keys that wait for them back on the queue.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import Activity, PodView, Roster
from dask_operator.plan.world import Attempt
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.store import Key

logger = logging.getLogger(__name__)

UNREACHABLE_PAUSE = 1.0
LONGEST_PAUSE = 15.0
REMEMBERED_SECONDS = 3600.0


def scheduler_life(pod: PodView) -> str:
    """Which life of a scheduler a Pod is in: a container that was started again knows nothing of the one before."""
    return f"{pod.uid}/{pod.restarts}"


@dataclass
class _Line:
    """The line to one scheduler."""

    roster: Roster | None = None
    asking: bool = False
    heard: str = ""
    """Which life of the scheduler has answered last."""
    failures: int = 0
    with_loads: bool = False
    """Whether somebody who waits wants to know the workers' loads."""
    with_activity: bool = False
    """Whether somebody who waits wants to know if the cluster is idle."""
    waiting: set[Key] = field(default_factory=set)


class SchedulerDesk:
    """What schedulers said last, and the requests under way.

    Args:
        schedulers: makes the calls.
        wake: puts a key back on the queue.
        clock: monotonic seconds.
        asked: told of every request to retire that has ended: why there was no answer, if there was none.
    """

    def __init__(
        self,
        schedulers: DaskSchedulers,
        wake: Callable[[Key], None],
        clock: Callable[[], float],
        asked: Callable[[str], None] = lambda _problem: None,
    ) -> None:
        self._asked = asked
        self._schedulers = schedulers
        self._wake = wake
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._retiring: dict[str, str] = {}
        """Pod uid → the scheduler's life that is at work on it."""
        self._attempts: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def roster(self, scheduler: PodView | None) -> Roster | None:
        """What the scheduler in its present life said last; None if it was not asked or does not run."""
        if scheduler is None or not scheduler.serving:
            return None
        line = self._lines.get(scheduler.uid)
        roster = line.roster if line else None
        return roster if roster is not None and roster.life == scheduler_life(scheduler) else None

    def heard(self, scheduler: PodView | None) -> bool:
        """Whether the scheduler has answered before, in its present life."""
        line = self._lines.get(scheduler.uid) if scheduler is not None else None
        return line is not None and scheduler is not None and line.heard == scheduler_life(scheduler)

    def ask(
        self, scheduler: PodView, key: Key, with_loads: bool = False, with_activity: bool = False
    ) -> float | None:
        """Have the roster taken anew, with what else is wanted, and ``key`` woken when it is there.

        A scheduler that does not answer is asked again only after a pause that grows: gives its seconds.
        """
        line = self._lines.setdefault(scheduler.uid, _Line())
        line.waiting.add(key)
        line.with_loads |= with_loads or with_activity
        line.with_activity |= with_activity
        if line.asking:
            return None
        pause = self._pause(scheduler, line)
        if pause > 0:
            return pause
        line.asking = True
        self._spawn(self._take_roster(scheduler, line))
        return None

    async def activity(self, scheduler: PodView) -> Activity:
        """What a scheduler, be it another operator's, has to do and to keep: asked at once, and waited for.

        Raises:
            SchedulerUnreachable: no answer within seconds, or not the answer of a scheduler.
        """
        return await self._schedulers.activity(scheduler.ip, scheduler.http_port, ())

    def in_flight(self, scheduler: PodView | None, pods: Iterable[PodView]) -> frozenset[str]:
        """uids of those Pods whose workers the scheduler, in its present life, is retiring right now."""
        life = scheduler_life(scheduler) if scheduler is not None else ""
        return frozenset(pod.uid for pod in pods if self._retiring.get(pod.uid) == life)

    def attempts(self, pods: Iterable[PodView]) -> dict[str, Attempt]:
        """The last request to retire each of the Pods that has ended; those without one are left out."""
        return {pod.uid: self._attempts[pod.uid] for pod in pods if pod.uid in self._attempts}

    def forget_attempts(self, pods: Iterable[PodView]) -> None:
        """Forget what was tried with Pods that are not to go any more."""
        for pod in pods:
            self._attempts.pop(pod.uid, None)

    def retire(
        self, scheduler: PodView, homes: dict[str, list[str]], seconds: float, keys: Iterable[Key]
    ) -> None:
        """Retire workers, and wake ``keys`` when the scheduler has answered.

        Args:
            scheduler: the scheduler's Pod.
            homes: Pod uid → addresses of the worker processes in it.
            seconds: how long the scheduler may take to move their results.
            keys: whom to wake.
        """
        self._retiring.update(dict.fromkeys(homes, scheduler_life(scheduler)))
        self._spawn(self._retire(scheduler, homes, seconds, tuple(keys)))

    def forget(self, scheduler_uid: str) -> None:
        """Forget a scheduler that is gone."""
        self._lines.pop(scheduler_uid, None)

    def _pause(self, scheduler: PodView, line: _Line) -> float:
        if line.roster is None or line.roster.reachable or line.roster.life != scheduler_life(scheduler):
            return 0.0
        pause = min(LONGEST_PAUSE, UNREACHABLE_PAUSE * 2.0 ** min(line.failures - 1, 10))
        return line.roster.arrived + pause - self._clock()

    async def _take_roster(self, scheduler: PodView, line: _Line) -> None:
        life = scheduler_life(scheduler)
        taken = self._clock()
        with_loads, line.with_loads = line.with_loads, False
        with_activity, line.with_activity = line.with_activity, False
        host, port = scheduler.ip, scheduler.http_port
        try:
            workers = await self._schedulers.workers(host, port, with_loads)
            activity = await self._schedulers.activity(host, port, workers) if with_activity else None
            line.heard = life
            line.roster, line.failures = Roster(life, taken, self._clock(), workers, with_loads, activity), 0
        except SchedulerUnreachable as error:
            before = self.roster(scheduler)
            if before is not None and not before.reachable:
                since, line.failures = before.silent_since, line.failures + 1
            else:
                since, line.failures = taken, 1
            line.roster = Roster(life, taken, self._clock(), problem=str(error), silent_since=since)
        finally:
            line.asking = False
        waiting, line.waiting = line.waiting, set()
        for key in waiting:
            self._wake(key)

    async def _retire(
        self, scheduler: PodView, homes: dict[str, list[str]], seconds: float, keys: tuple[Key, ...]
    ) -> None:
        addresses = [address for home in homes.values() for address in home]
        failure = ""
        try:
            await self._schedulers.retire(scheduler.ip, scheduler.http_port, addresses, seconds)
        except SchedulerUnreachable as error:
            failure = str(error)
            logger.warning("retiring %d workers of %s: %s", len(addresses), scheduler.name, error)
        self._asked(failure)
        now = self._clock()
        for uid in homes:
            if self._retiring.get(uid) == scheduler_life(scheduler):
                del self._retiring[uid]
            self._attempts[uid] = Attempt(now, failure)
        self._sweep(now)
        for key in keys:
            self._wake(key)

    def _sweep(self, now: float) -> None:
        old = [uid for uid, attempt in self._attempts.items() if now - attempt.at > REMEMBERED_SECONDS]
        for uid in old:
            del self._attempts[uid]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up all requests under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
