"""Full listings: the first one fills the store, later ones find what the watches have missed."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from dask_operator.api_server.kube import Kube
from dask_operator.errors import ApiError
from dask_operator.intake import BY_LABEL, SELECTOR, WATCHED, Intake
from dask_operator.scope.territory import Territory
from dask_operator.watching.hearing import Hearing

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0

HEARING_SECONDS = 15.0
"""How long a watch may take to tell of what a listing has shown."""


@dataclass
class Survey:
    """Lists everything there is, in the namespaces that are looked after.

    Args:
        watching: whether watches run, which then owe what a listing shows.
        clock: monotonic seconds.
    """

    kube: Kube
    intake: Intake
    territory: Territory
    hearing: Hearing
    watching: Callable[[], bool]
    clock: Callable[[], float]
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _tried: float | None = None

    def tried_ago(self) -> float:
        """Seconds since the last listing was begun, of however many kinds; 0 before the first."""
        return self.clock() - self._tried if self._tried is not None else 0.0

    def soon(self) -> None:
        """Have everything listed now rather than when it is time."""
        self._wanted.set()

    async def take(self) -> None:
        """List every kind once, in each namespace.

        Raises:
            ApiError: a listing failed; what was listed before it is kept.
        """
        for space in self.territory.spaces:
            for kind in WATCHED:
                self._tried = self.clock()
                read = partial(self.intake.read, kind)
                selector = SELECTOR if kind in BY_LABEL else ""
                listing = await self.kube.list_as(kind, read, selector, space)
                vanished = self.intake.listed(kind, listing.items, listing.version, space)
                if self.watching():
                    present = (view.version for view in listing.items)
                    self.hearing.listed((kind, space), present, vanished)

    async def take_first(self) -> None:
        """List until it succeeds, then have everything reconciled."""
        while True:
            try:
                await self.take()
                break
            except ApiError as error:
                logger.warning("cannot list yet, trying again in %.0f s: %s", RETRY_SECONDS, error)
                await asyncio.sleep(RETRY_SECONDS)
        self.intake.queue_everything()

    async def repeat(self, seconds: float, judge: Callable[[], None]) -> None:
        """List everything again and again, ``seconds`` apart or when asked to, until cancelled.

        After each listing, and the time the watches have to tell the same, calls ``judge``.
        """
        pause = seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.take()
            except ApiError as error:
                pause = min(seconds, 2 * RETRY_SECONDS)
                logger.warning("resync failed, trying again in %.0f s: %s", pause, error)
                continue
            pause = seconds
            self.intake.queue_everything()
            await asyncio.sleep(HEARING_SECONDS)
            judge()
