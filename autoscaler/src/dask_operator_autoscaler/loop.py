"""When each cluster is visited: every one in its own time, none ever waiting for another."""

import asyncio
import heapq
import logging
import random
from collections.abc import Callable
from contextlib import suppress

from dask_operator_api.autoscaling import DEFAULT_INTERVAL_SECONDS

from dask_operator_autoscaler.store import Identity, Store
from dask_operator_autoscaler.visit import Visitor

logger = logging.getLogger(__name__)

JITTER = 0.1
"""Each pause is up to this share longer or shorter, so that visits do not come in step."""

IDLE_SECONDS = 1.0

SPREAD_SECONDS = 0.005
"""Seconds, on average, between the first visits to clusters that are taken up together: a few do not wait."""


class Loop:
    """Visits every cluster that an autoscaler names.

    Args:
        store: what the API server has told.
        visitor: makes a visit.
        clock: monotonic seconds.
        chance: for the jitter.
        leading: whether this process may decide; no visit begins where it may not.
        visited: told after each visit whether it broke.
    """

    def __init__(
        self,
        store: Store,
        visitor: Visitor,
        clock: Callable[[], float],
        chance: random.Random,
        leading: Callable[[], bool] = lambda: True,
        visited: Callable[[bool], None] = lambda broke: None,
    ) -> None:
        self._visited = visited
        self._leading = leading
        self._led = False
        self._store = store
        self._visitor = visitor
        self._clock = clock
        self._chance = chance
        self._due: dict[Identity, float] = {}
        self._heap: list[tuple[float, Identity]] = []
        self._running: dict[Identity, asyncio.Task[None]] = {}
        self._again: set[Identity] = set()
        self._news = asyncio.Event()

    def touch(self, home: Identity) -> None:
        """Have a cluster visited now: something of it was edited."""
        if home in self._running:
            self._again.add(home)
        else:
            self._plan(home, self._clock())
        self._news.set()

    def look_around(self) -> None:
        """Take up clusters that are not visited yet, many of them spread out, and forget autoscalers that are gone.

        To be called after each listing, and when this process begins to lead, which the loop finds a little later.
        """
        homes = self._store.autoscalers.homes()
        now, spread = self._clock(), min(DEFAULT_INTERVAL_SECONDS, SPREAD_SECONDS * len(homes))
        for home in homes:
            if home not in self._due and home not in self._running:
                self._plan(home, now + self._chance.uniform(0, spread))
        self._visitor.forget({item.uid for home in homes for item in self._store.autoscalers.of(home)})
        self._news.set()

    @property
    def lateness(self) -> float:
        """Seconds by which the visit that is due longest is late; 0 if none is."""
        return max((self._clock() - due for due in self._due.values()), default=0.0)

    async def run(self) -> None:
        """Visit until cancelled."""
        try:
            while True:
                self._start_due()
                pause = self._heap[0][0] - self._clock() if self._heap else IDLE_SECONDS
                self._news.clear()
                # asyncio.wait_for of Python 3.11 loses a cancellation that comes together with the news
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, pause)):
                        await self._news.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _plan(self, home: Identity, when: float) -> None:
        self._due[home] = when
        heapq.heappush(self._heap, (when, home))

    def _start_due(self) -> None:
        now = self._clock()
        leads = self._leading()
        if not leads:
            # Who leads visits them. Those still due are taken up again when that is this process.
            self._heap.clear()
            self._due.clear()
        elif not self._led:
            # Nobody else may have noticed: a slow renewal can close the fence and open it again.
            self.look_around()
        self._led = leads
        while self._heap and self._heap[0][0] <= now:
            when, home = heapq.heappop(self._heap)
            if self._due.get(home) != when:
                continue  # planned anew since
            del self._due[home]
            self._running[home] = asyncio.get_running_loop().create_task(self._visit(home))

    async def _visit(self, home: Identity) -> None:
        pause: float | None = DEFAULT_INTERVAL_SECONDS
        try:
            pause = await self._visitor.visit(home)
            self._visited(False)
        except Exception:  # one cluster's trouble must not end the visits to all others
            self._visited(True)
            logger.exception("the visit to %s/%s broke", *home)
        finally:
            del self._running[home]
            if home in self._again:
                self._again.discard(home)
                self._plan(home, self._clock())
            elif pause is not None:
                self._plan(home, self._clock() + pause * self._chance.uniform(1 - JITTER, 1 + JITTER))
            self._news.set()
