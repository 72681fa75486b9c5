"""Holding the Lease: of several autoscalers one decides. The rules are in :mod:`dask_operator_api.election`."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
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

from dask_operator_autoscaler.errors import ApiError, Conflict, NotFound
from dask_operator_autoscaler.kube import Kube

logger = logging.getLogger(__name__)

CALL_SECONDS = 4.0
"""A call about the Lease that takes longer is given up: two of them fit before its time is over."""


class LeadershipLost(Exception):
    """Another autoscaler holds the Lease: this process has to end."""


def boot_seconds() -> float:
    """Seconds since the machine was started, those in which it slept among them, as the Lease does not wait for it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Leading:
    """One process's part in the election.

    Args:
        namespace: where the Lease is.
        name: the Lease's name.
        me: this process.
        clock: seconds that never jump, nor stand still.
        kube: calls on connections of their own, so that others cannot delay a renewal.
        began: called when this process begins to lead, or may go on.
    """

    namespace: str
    name: str
    me: Identity
    kube: Kube
    clock: Callable[[], float] = boot_seconds
    began: Callable[[], None] = lambda: None
    _until: float = float("-inf")
    _over: bool = False
    _seen: Sighting | None = None
    _tried: float | None = None
    _told: str = ""
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def left(self) -> float:
        """Seconds for which nobody else can hold the Lease; 0 while this process does not lead."""
        return 0.0 if self._over else max(0.0, self._until - self.clock())

    @property
    def now(self) -> bool:
        """Whether this process leads."""
        return self.left() > 0

    def tried_ago(self) -> float:
        """Seconds since the last try to look at the Lease, successful or not; 0 before the first."""
        return self.clock() - self._tried if self._tried is not None else 0.0

    async def run(self, ready: asyncio.Event) -> None:
        """Wait until ready, then for the Lease, then renew it until cancelled.

        Raises:
            LeadershipLost: another process has taken it.
        """
        await ready.wait()
        await self._acquire()
        self.began()
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            led = self.now
            if await self._attempt(self._renew) and not led:
                logger.warning("the Lease could be renewed again, and nobody had taken it: going on")
                self.began()

    async def _acquire(self) -> None:
        while True:
            if await self._attempt(self._look_and_move):
                logger.info("%s holds the Lease %s/%s", self.me.name, self.namespace, self.name)
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def release(self) -> None:
        """Lead no more, and let the next one begin at once."""
        async with self._busy:
            self._over = True
            if self._seen is None or self._seen.record.holder != self.me.name:
                return
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await self.kube.write_lease(
                        self.namespace, self.name, handed_over(self._seen.record, _wall())
                    )
                logger.info("the Lease is handed over")
            except (ApiError, TimeoutError) as error:
                logger.warning("the Lease could not be handed over, it has to expire: %s", error)

    async def _attempt(self, call: Callable[[], Awaitable[bool]]) -> bool:
        """One call's outcome; False where the API server did not do it."""
        self._tried = self.clock()
        try:
            async with self._busy, asyncio.timeout(CALL_SECONDS):
                done = await call()
        except (ApiError, TimeoutError) as error:
            self._tell(error)
            return False
        self._told = ""
        return done

    def _tell(self, error: Exception) -> None:
        """Log what is wrong with the Lease: once, not every second."""
        text = str(error) or f"no answer within {CALL_SECONDS:.0f} s"
        if isinstance(error, NotFound):
            text += " (it comes with the release: `helm upgrade` makes it anew)"
        if self._told != type(error).__name__:
            logger.warning("the Lease %s/%s cannot be used, trying on: %s", self.namespace, self.name, text)
        self._told = type(error).__name__

    async def _look_and_move(self) -> bool:
        seen = await self._look()
        return move(self.me, seen) is not Move.WAIT and await self._write()

    async def _renew(self) -> bool:
        if self.now and await self._write():
            return True
        seen = await self._look()
        if seen.record.holder != self.me.name:
            raise LeadershipLost(f"the Lease is held by {seen.record.holder or 'nobody'}")
        return await self._write()

    async def _look(self) -> Sighting:
        record = Record.parse(await self.kube.lease(self.namespace, self.name))
        before = self._seen
        self._seen = sight(before, record, self.clock())
        if before is None or before.record.holder != record.holder:
            logger.info("the Lease %s/%s is held by %s", self.namespace, self.name, record.holder or "nobody")
        return self._seen

    async def _write(self) -> bool:
        """Take or renew; False if somebody has written it meanwhile. What was won counts from before the call."""
        assert self._seen is not None
        sent = self.clock()
        try:
            body = held_by(self.me, self._seen.record, _wall())
            answer = await self.kube.write_lease(self.namespace, self.name, body)
        except Conflict:
            return False
        self._seen = Sighting(Record.parse(answer), sent, sent)
        self._until = sent + RENEW_SECONDS
        return True


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
