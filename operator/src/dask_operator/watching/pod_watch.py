"""The watch on Pods, without kopf between: nearly all that happens to a cluster happens to its Pods.

kopf gives every object that changes a task of its own, and looks for causes and handlers: three times the work of all
that the operator does with an event itself.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from dask_operator.api_server.answers import Change
from dask_operator.api_server.kube import Kube
from dask_operator.errors import ApiError, TryAgain
from dask_operator.intake import SELECTOR, Intake, gone_at, version_of
from dask_operator.watching.hearing import Hearing, pauses

logger = logging.getLogger(__name__)

KIND = "Pod"

AT_ONCE = 50
"""Changes taken in one turn of the loop, so that many of them do not hold up everything else."""


@dataclass
class PodWatch:
    """Lists the Pods, follows what happens to them, and lists again whenever that breaks.

    Args:
        kube: as many connections as there are namespaces.
        intake: where news go.
        hearing: what keeps the books of what was heard.
        known_at: the version at which all Pods of a namespace are known by other means; 0 where they are not.
    """

    kube: Kube
    intake: Intake
    hearing: Hearing
    known_at: Callable[[str | None], int] = lambda _space: 0
    _pauses: dict[str | None, Iterator[float]] = field(default_factory=dict)
    """Namespaces whose watch has told of nothing since it began anew → the pauses that are left."""

    sleep = staticmethod(asyncio.sleep)

    async def run(self, spaces: Sequence[str | None]) -> None:
        """Watch these namespaces (None alone: all) until cancelled."""
        async with asyncio.TaskGroup() as group:
            for space in spaces:
                group.create_task(self._keep(space))

    async def _keep(self, space: str | None) -> None:
        while True:
            try:
                version = self.known_at(space) or await self._list(space)
                self.hearing.hears((KIND, space), version)
                while True:
                    reached = await self._follow(space, version)
                    if reached == version:
                        await self.sleep(self._pause(space))
                    version = reached
            except ApiError as error:
                pause = self._pause(space)
                if isinstance(error, TryAgain):
                    pause = max(pause, error.retry_after or 0.0)
                logger.warning("the watch on Pods begins anew in %.1f s: %s", pause, error)
                await self.sleep(pause)

    def _pause(self, space: str | None) -> float:
        """Seconds until the next try: more and more, until a watch has told of anything."""
        return next(self._pauses.setdefault(space, pauses()))

    async def _list(self, space: str | None) -> int:
        """Take in all there are; gives the version from which to follow."""
        listing = await self.kube.list_as(KIND, partial(self.intake.read, KIND), SELECTOR, space)
        self.intake.listed(KIND, listing.items, listing.version, space)
        return listing.version

    async def _follow(self, space: str | None, version: int) -> int:
        """Take in what happens after ``version``, until the API server ends it; gives the version reached by then."""
        async with aclosing(self.kube.watch(KIND, version, SELECTOR, space)) as changes:
            number = 0
            async for change in changes:
                version = self._take(space, change)
                number += 1
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
        return version

    def _take(self, space: str | None, change: Change) -> int:
        self._pauses.pop(space, None)
        meta = change.body["metadata"]
        if change.type == "DELETED":
            self.intake.gone(KIND, *gone_at(meta))
        elif change.type != "BOOKMARK":
            self.intake.saw(KIND, change.body)
        version = version_of(meta)
        self.hearing.hears((KIND, space), version)
        return version
