"""A queue of keys: each is worked on by one worker at a time, coalesces what arrives meanwhile, and backs off."""

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass, field

from dask_operator_api import passes

from dask_operator.errors import TryAgain
from dask_operator.places import Places
from dask_operator.rests import Rests
from dask_operator.store import Key

logger = logging.getLogger(__name__)

FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 60.0
NEWS_SECONDS = 2.0
"""After a failure, news of an object brings it back after this long at most; the server's own wish is obeyed."""

AHEAD_SECONDS = 5.0
"""What somebody has just made or edited goes before everything that has waited for less than that."""

Passed = Callable[[str, float, BaseException | None], None]

Reconcile = Callable[[Key], Awaitable[float | None]]
"""Brings one object's world in order; gives the seconds after which to look again, or None."""

Turn = tuple[float, int, Key | None]
"""Since when a key counts as waiting (loop time), the number of its coming, and the key; None ends a worker."""


@dataclass
class KeyedQueue:
    """Runs ``reconcile`` for every key that was added, ``concurrency`` keys at a time, and of these ``per_family``.

    ``passed`` is told of every pass: the kind of its object, its seconds, and the error that it ended in, if any.
    ``family`` says which keys share places; each is a family of its own unless it is given.
    """

    reconcile: Reconcile
    concurrency: int
    passed: Passed = lambda _kind, _seconds, _error: None
    family: Callable[[Key], Hashable] = lambda key: key
    per_family: int = 1
    _ready: "asyncio.PriorityQueue[Turn]" = field(default_factory=asyncio.PriorityQueue)
    """A key that is edited while it waits has two turns: at the second it is skipped."""
    _places: "Places[Turn]" = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _queued: dict[Key, float] = field(default_factory=dict)
    """Waiting keys → when they were added (loop time)."""
    _running: dict[Key, float] = field(default_factory=dict)
    _again: dict[Key, bool] = field(default_factory=dict)
    """Keys added while they were being worked on → whether they were edited meanwhile."""
    _timers: dict[Key, asyncio.TimerHandle] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _not_before: dict[Key, float] = field(default_factory=dict)
    """Keys that failed → the loop time before which news does not bring them back."""
    _rests: Rests = field(default_factory=Rests)
    """News does not bring a key back while it rests, but for an edit."""
    _setback: float | None = None
    """When a pass ended last with something to try again (loop time)."""
    _ending: bool = False
    _finished: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._places = Places(self.per_family)

    def add(self, key: Key, edited: bool = False) -> None:
        """Have ``key`` reconciled soon, once, however often it is added before that; at once if it was ``edited``."""
        now = asyncio.get_running_loop().time()
        if edited:
            self._rests.end(key)
        until = max(self._not_before.get(key, now), self._rests.until(key, now))
        if key in self._running:
            self._again[key] = edited or self._again.get(key, False)
        elif key in self._queued:
            if edited:
                self._line_up(key, now - AHEAD_SECONDS)
        elif until > now:
            self.add_after(key, until - now)
        else:
            self._not_before.pop(key, None)
            self._rests.end(key)
            self._cancel_timer(key)
            self._queued[key] = now
            self._line_up(key, now - AHEAD_SECONDS if edited else now)

    def _line_up(self, key: Key | None, since: float) -> None:
        self._ready.put_nowait((since, next(self._numbers), key))

    def add_after(self, key: Key, seconds: float) -> None:
        """Have ``key`` reconciled after ``seconds``, or earlier if something else asks for it earlier."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if key in self._queued or (timer is not None and timer.when() <= loop.time() + seconds):
            return
        self._cancel_timer(key)
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self._not_before.pop(key, None)
        self._rests.end(key)
        self.add(key)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def depth(self) -> int:
        """How many keys wait or are worked on."""
        return len(self._queued) + len(self._running)

    def oldest_age(self, parked: bool = True) -> float:
        """Seconds since the oldest key that waits or is worked on was added; 0 if there is none.

        Args:
            parked: whether those count that wait for others of their family.
        """
        out = set() if parked else {turn[-1] for turn in self._places.waiting()}
        times = [since for key, since in self._queued.items() if key not in out]
        times += self._running.values()
        return asyncio.get_running_loop().time() - min(times) if times else 0.0

    def setback_age(self) -> float:
        """Seconds since a pass last ended with something to try again; infinite if none did."""
        if self._setback is None:
            return float("inf")
        return asyncio.get_running_loop().time() - self._setback

    def end(self) -> None:
        """Begin nothing any more: what is being worked on is finished, and then :meth:`run` returns."""
        self._ending = True
        for _ in range(self.concurrency):
            self._line_up(None, 0.0)

    async def run(self) -> None:
        """Work until cancelled, or until the end."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.concurrency):
                workers.create_task(self._work())
        self._finished.set()

    async def finished(self) -> None:
        """Wait until nothing is worked on any more, after :meth:`end`."""
        await self._finished.wait()

    async def _work(self) -> None:
        while True:
            turn = await self._ready.get()
            key = turn[-1]
            if key is None or self._ending:
                return
            family = self.family(key)
            if key not in self._queued or not self._places.take(family, turn):
                continue
            self._running[key] = self._queued.pop(key)
            try:
                with passes.over(str(key)) as one:
                    await self._once(key, one)
            finally:
                del self._running[key]
                if key in self._again:
                    self.add(key, self._again.pop(key))
                for waiting in self._places.leave(family):
                    self._ready.put_nowait(waiting)

    async def _once(self, key: Key, one: passes.Pass) -> None:
        failure: Exception | None = None
        try:
            again = await self.reconcile(key)
        except TryAgain as error:
            failure = error
            self._setback = asyncio.get_running_loop().time()
            self._back_off(key, error, error.retry_after)
        except Exception as error:
            failure = error
            logger.exception("%s: reconcile failed", key)
            self._back_off(key, error, None)
        else:
            self._failures.pop(key, None)
            self._rests.begin(key, one.seconds, asyncio.get_running_loop().time())
            if again is not None:
                self.add_after(key, again)
        self.passed(key.kind.value, one.seconds, failure)

    def _back_off(self, key: Key, error: Exception, least: float | None) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 20))
        pause = max(pause * random.uniform(0.5, 1.0), least or 0.0)
        loop = asyncio.get_running_loop()
        self._not_before[key] = loop.time() + (least if least is not None else min(pause, NEWS_SECONDS))
        logger.warning("%s: trying again in %.1f s: %s", key, pause, error)
        self.add_after(key, pause)
