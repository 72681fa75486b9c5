"""Holding the Lease: the loop around the decisions of :mod:`dask_operator_api.election`, one for every program."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dask_operator_api.election import (
    LOOK_SECONDS,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Identity,
    Move,
    Record,
    Sighting,
    handed_over,
    held_by,
    move,
    sight,
)
from dask_operator_api.fence import Clock, Fence
from dask_operator_api.manifests import Manifest

logger = logging.getLogger(__name__)

CALL_SECONDS = 4.0
"""A call about the Lease that takes longer is given up: two of them fit before the fence closes."""


TRY_SECONDS = 1.5
"""One try to hand the Lease over may take so long: another one fits into what is left."""

AGAIN_SECONDS = 0.2
"""Pause between two tries to hand the Lease over."""


class LeadershipLost(Exception):
    """Another process holds the Lease: this one has to end."""


@dataclass(frozen=True)
class Lease:
    """How a Lease is read and patched, by calls that no other work can delay, and that pass no fence."""

    namespace: str
    name: str
    read: Callable[[], Awaitable[Manifest]]
    patch: Callable[[Manifest], Awaitable[Manifest]]
    failure: type[Exception]
    """What a call raises that has failed, in whatever way."""
    conflict: type[Exception]
    """The Lease is not what the patch was made for."""
    missing: type[Exception]
    """There is none."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass
class Leadership:
    """One process's part in the election. The fence is open while it leads, and only then.

    Args:
        clock: the fence's clock.
        notes: what the Lease tells, as annotations, to whoever looks at it.
        resumed: called when the Lease could be renewed again after the fence had closed.
    """

    lease: Lease
    me: Identity
    fence: Fence
    clock: Clock
    notes: Callable[[], Mapping[str, str | None]] = dict
    resumed: Callable[[], None] = lambda: None
    _seen: Sighting | None = None
    _tried: float | None = None
    _steady_since: float | None = None
    _told: str = ""
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unsure: bool = False
    """Whether the last write was not answered well: it may have been carried out, and what is known may be old."""
    _reopened: bool = False
    """Whether the fence had closed by the time that the last write was answered."""

    @property
    def leading(self) -> bool:
        """Whether writes are let through."""
        return self.fence.left() > 0

    def tried_ago(self) -> float:
        """Seconds since the last try to look at the Lease, successful or not; 0 before the first."""
        return self.clock() - self._tried if self._tried is not None else 0.0

    def steady_seconds(self) -> float:
        """Seconds for which every call about the Lease was answered: how long the API server has been well."""
        return self.clock() - self._steady_since if self._steady_since is not None else 0.0

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while True:
            if await self._attempt(self._look_and_move):
                logger.info("%s holds the Lease %s", self.me.name, self.lease)
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def hold(self) -> None:
        """Renew until cancelled.

        Raises:
            LeadershipLost: another process has taken it.
        """
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await self._attempt(self._renew) and self._reopened:
                logger.warning("the Lease could be renewed again, and nobody had taken it: going on")
                self.resumed()

    async def release(self) -> None:
        """Write no more, and let the next one begin at once."""
        async with self._busy:
            self.fence.shut()
            ours = self._seen is not None and self._seen.record.holder == self.me.name
            if ours or self._unsure:
                await self._hand_over()

    async def _hand_over(self) -> None:
        """Try within the time of one call, as often as that allows: until the Lease expires nobody leads."""
        problem: Exception = TimeoutError(f"no answer within {CALL_SECONDS:.0f} s")
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_SECONDS):
                while not isinstance(problem, self.lease.missing):
                    try:
                        async with asyncio.timeout(TRY_SECONDS):
                            return await self._give_up()
                    except (self.lease.failure, TimeoutError) as error:
                        problem = error if str(error) else problem
                    await asyncio.sleep(AGAIN_SECONDS)
        logger.warning("the Lease could not be handed over, it has to expire: %s", problem)

    async def _give_up(self) -> None:
        """Hand the Lease over if it is ours. It is looked at anew where the last write may have been carried out."""
        seen = await self._look() if self._unsure or self._seen is None else self._seen
        if seen.record.holder == self.me.name:
            self._unsure = True
            await self.lease.patch(handed_over(seen.record, _wall()))
            logger.info("the Lease is handed over")

    async def _attempt(self, call: Callable[[], Awaitable[bool]]) -> bool:
        """One call's outcome; False where the API server did not do it.

        Who is cancelled meanwhile leaves the call to its end, which a release waits for: cut off, it might have renewed
        the Lease, or still do so, and what is known of it would be wrong.
        """
        attempt = asyncio.ensure_future(self._tried_once(call))
        attempt.add_done_callback(_retrieved)
        return await asyncio.shield(attempt)

    async def _tried_once(self, call: Callable[[], Awaitable[bool]]) -> bool:
        self._tried = self.clock()
        try:
            async with self._busy, asyncio.timeout(CALL_SECONDS):
                done = await call()
        except (self.lease.failure, TimeoutError) as error:
            self._steady_since = None
            self._tell(error)
            return False
        if self._steady_since is None:
            self._steady_since = self.clock()
        self._told = ""
        return done

    def _tell(self, error: Exception) -> None:
        """Log what is wrong with the Lease: once, not every second."""
        text = str(error) or f"no answer within {CALL_SECONDS:.0f} s"
        if isinstance(error, self.lease.missing):
            text += " (it comes with the release: `helm upgrade` makes it anew)"
        if self._told != type(error).__name__:
            logger.warning("the Lease %s cannot be used, trying on: %s", self.lease, text)
        self._told = type(error).__name__

    async def _look_and_move(self) -> bool:
        seen = await self._look()
        return move(self.me, seen) is not Move.WAIT and await self._write()

    async def _renew(self) -> bool:
        if self.leading and await self._write():
            return True
        # Too late to write first and ask then: not even a write that would be refused may follow a successor's.
        seen = await self._look()
        if seen.record.holder != self.me.name:
            raise LeadershipLost(f"the Lease is held by {seen.record.holder or 'nobody'}")
        return await self._write()

    async def _look(self) -> Sighting:
        record = Record.parse(await self.lease.read())
        before, self._unsure = self._seen, False
        self._seen = sight(before, record, self.clock())
        if before is None or before.record.holder != record.holder:
            logger.info("the Lease %s is held by %s", self.lease, record.holder or "nobody")
        return self._seen

    async def _write(self) -> bool:
        """Take or renew; False if somebody has written it meanwhile. The fence opens from before the call."""
        assert self._seen is not None
        sent, self._unsure = self.clock(), True
        try:
            answer = await self.lease.patch(held_by(self.me, self._seen.record, _wall(), self.notes()))
        except self.lease.conflict:
            return False
        self._unsure = False
        self._seen = Sighting(Record.parse(answer), sent, sent)
        self._reopened = not self.leading
        self.fence.open_until(sent + RENEW_SECONDS)
        return True


def _retrieved(attempt: "asyncio.Future[bool]") -> None:
    """What an attempt raised of which nobody waits any more is of no concern."""
    if not attempt.cancelled():
        attempt.exception()


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
