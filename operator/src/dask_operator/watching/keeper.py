"""Keeps the watches alive, and on the namespaces that are looked after."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dask_operator.intake import Intake, gone_at, version_of
from dask_operator.scope.territory import LOOK_SECONDS, Territory
from dask_operator.watching.handlers import Event
from dask_operator.watching.hearing import Hearing
from dask_operator.watching.pod_watch import PodWatch
from dask_operator.watching.resync import Survey
from dask_operator.watching.watches import Watches

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 10.0
"""While the API server has not been well for this long, watches that lag behind are no surprise."""


@dataclass
class Keeper:
    """Starts the watches anew when they have ended, are found to be deaf, or are to watch other namespaces.

    Args:
        steady: for how many seconds the API server has been well.
        clock: monotonic seconds.
    """

    watches: Watches
    pod_watch: PodWatch
    hearing: Hearing
    intake: Intake
    survey: Survey
    territory: Territory
    steady: Callable[[], float]
    clock: Callable[[], float]
    _anew: asyncio.Event = field(default_factory=asyncio.Event)
    _deaf_since: float | None = None
    _pause: float = FIRST_PAUSE

    def deaf_seconds(self) -> float:
        """Seconds since the watches were found not to work; 0 while they do."""
        return self.clock() - self._deaf_since if self._deaf_since is not None else 0.0

    async def run(self) -> None:
        """Keep the watches until cancelled.

        Raises:
            WatchesHang: they cannot be stopped.
        """
        while True:
            self._anew.clear()
            self.hearing.begin()
            spaces = self.territory.spaces
            self.watches.start(spaces)
            began = self.clock()
            if await self._ended_by_itself(spaces):
                self._deaf_since = self._deaf_since if self._deaf_since is not None else self.clock()
                self._pause = (
                    FIRST_PAUSE if self.clock() - began > 60 else min(2 * self._pause, LONGEST_PAUSE)
                )
                logger.error("the watches have ended, starting them anew in %.0f s", self._pause)
                await asyncio.sleep(self._pause)
            await self.watches.stop()
            self.survey.soon()

    async def _ended_by_itself(self, spaces: Sequence[str | None]) -> bool:
        """Watch the Pods until the watches have ended or shall start anew; gives whether the former."""
        waits: set[asyncio.Task[object]] = {asyncio.create_task(self._anew.wait())}
        if spaces:
            waits.add(asyncio.create_task(self.watches.ended()))
            waits.add(asyncio.create_task(self.pod_watch.run(spaces)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        for task in done:
            task.result()
        return not self._anew.is_set()

    def heard(self, event: Event) -> None:
        """Take an event from the watches."""
        meta = event.body["metadata"]
        space = meta.get("namespace", "") if self.territory.wanted else None
        self.hearing.hears((event.kind, space), version_of(meta))
        if event.gone:
            self.intake.gone(event.kind, *gone_at(meta))
        else:
            self.intake.saw(event.kind, event.body)

    def judge(self) -> None:
        """Start watches anew that have not told what a listing some seconds ago has shown."""
        if self.steady() < STEADY_SECONDS:
            return
        deaf = self.hearing.deaf()
        if not deaf and self.watches.running:
            self._deaf_since = None
        if deaf:
            named = ", ".join(f"{kind} in {space or 'all namespaces'}" for kind, space in deaf)
            logger.warning("watches have missed changes, starting them anew: %s", named)
            self._deaf_since = self._deaf_since if self._deaf_since is not None else self.clock()
            self._anew.set()

    async def patrol(self) -> None:
        """Look at the rights in the namespaces again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = set(self.territory.spaces)
            # An API server that has just been started knows of no rights for a moment.
            if self.steady() < STEADY_SECONDS or not await self.territory.look():
                continue
            for space in before - set(self.territory.spaces):
                self.intake.leave(str(space))
            self._anew.set()
