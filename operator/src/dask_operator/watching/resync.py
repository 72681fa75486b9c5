"""Full listings: the first one fills the store, later ones find what the watches have missed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from dask_operator.api_server.kube import Kube
from dask_operator.errors import ApiError
from dask_operator.intake import BY_LABEL, SELECTOR, WATCHED, Intake
from dask_operator.scope.territory import Territory
from dask_operator.watching.hearing import Hearing

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0

Result = TypeVar("Result")

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
    _pods_at: dict[str | None, int] = field(default_factory=dict)
    """Namespace, or None for all → the version of the first listing of Pods, until somebody goes on from there."""
    _tried: float | None = None

    def tried_ago(self) -> float:
        """Seconds since the last listing was begun, of however many kinds; 0 before the first."""
        return self.clock() - self._tried if self._tried is not None else 0.0

    def soon(self) -> None:
        """Have everything listed now rather than when it is time."""
        self._wanted.set()

    def pods_at(self, space: str | None) -> int:
        """The version from which a first watch on Pods can go on; 0, as ever after, if it has to list them itself."""
        return self._pods_at.pop(space, 0)

    async def try_out(self) -> None:
        """Ask for an object of each kind until that succeeds: whoever waits for the Lease need not know them all."""
        await self._until_it_succeeds(self._try_each)

    async def _try_each(self) -> None:
        for space, kind, selector in self._all():
            await self.kube.try_listing(kind, selector, space)

    def _all(self) -> Iterator[tuple[str | None, str, str]]:
        """What is looked after: in each namespace each kind, with the selector of labels."""
        for space in self.territory.spaces:
            for kind in WATCHED:
                yield space, kind, SELECTOR if kind in BY_LABEL else ""

    async def take(self) -> dict[tuple[str, str | None], int]:
        """List every kind once, in each namespace; gives the version of each listing.

        Raises:
            ApiError: a listing failed; what was listed before it is kept.
        """
        versions = {}
        for space, kind, selector in self._all():
            self._tried = self.clock()
            listing = await self.kube.list_as(kind, partial(self.intake.read, kind), selector, space)
            vanished = self.intake.listed(kind, listing.items, listing.version, space)
            versions[(kind, space)] = listing.version
            if self.watching():
                present = (view.version for view in listing.items)
                self.hearing.listed((kind, space), present, vanished)
        return versions

    async def take_first(self) -> None:
        """List until it succeeds, then have everything reconciled."""
        versions = await self._until_it_succeeds(self.take)
        self._pods_at = {space: version for (kind, space), version in versions.items() if kind == "Pod"}
        self.intake.queue_everything()

    async def _until_it_succeeds(self, listing: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await listing()
            except ApiError as error:
                logger.warning("cannot list yet, trying again in %.0f s: %s", RETRY_SECONDS, error)
                await asyncio.sleep(RETRY_SECONDS)

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
