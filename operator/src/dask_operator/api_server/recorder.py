"""Events: what ``kubectl describe`` shows. Written in the background, and never in the way of the work."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from dask_operator_api.kinds import API_VERSION
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from dask_operator.api_server.kube import Kube
from dask_operator.desired.owner import OWNER_KINDS, Owner
from dask_operator.errors import ApiError, Conflict, NotFound, Refused, TryAgain, Uncertain

logger = logging.getLogger(__name__)

WAITING_MAX = 1000
REPEAT_SECONDS = 60.0
REMEMBERED = 5000

WRITERS = 4
"""Events written at one time: a call that hangs holds up no more than its own."""

TRIES = 4
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Happening:
    """Something worth telling about an object."""

    about: Owner
    reason: str
    message: str
    warning: bool = False

    @property
    def name(self) -> str:
        """The Event's name: the same for the same happening, so that a repeat counts instead of piling up."""
        text = f"{self.about.uid}/{self.reason}/{self.message}"
        return f"{self.about.name}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class Recorder:
    """Writes Events, a few at a time; drops new ones when a thousand wait."""

    def __init__(self, kube: Kube, reporter: str) -> None:
        self._kube = kube
        self._reporter = reporter
        self._waiting: asyncio.Queue[Happening] = asyncio.Queue(WAITING_MAX)
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def tell(self, about: Owner, reason: str, message: str, warning: bool = False) -> None:
        """Log what has happened, and record an Event: the same happening once a minute at most."""
        happening = Happening(about, reason, message, warning)
        now = asyncio.get_running_loop().time()
        count, last = self._counts.get(happening.name, (0, -REPEAT_SECONDS))
        repeated = now - last < REPEAT_SECONDS
        level = logging.DEBUG if repeated else logging.INFO
        logger.log(level, "%s/%s: %s: %s", about.namespace, about.name, reason, message)
        if repeated:
            return
        self._counts[happening.name] = (count + 1, now)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        try:
            self._waiting.put_nowait(happening)
        except asyncio.QueueFull:
            logger.warning("too many Events wait: dropped one of %s/%s", about.namespace, about.name)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._keep_writing())

    async def _keep_writing(self) -> None:
        while True:
            happening = await self._waiting.get()
            try:
                await self._persist(happening)
            except ApiError as error:
                quiet = isinstance(error, Refused) and error.is_terminating
                level = logging.DEBUG if quiet else logging.WARNING
                logger.log(level, "Event %s not written: %s", happening.reason, error)
            finally:
                self._waiting.task_done()

    async def written(self) -> None:
        """Wait until nothing waits to be written."""
        await self._waiting.join()

    async def _persist(self, happening: Happening) -> None:
        """Write an Event, and try a few times where that may help."""
        unsure = False
        for left in reversed(range(TRIES)):
            try:
                return await self._write(happening, unsure)
            except TryAgain as error:
                if not left:
                    raise
                unsure = unsure or isinstance(error, Uncertain)
                await asyncio.sleep(error.retry_after or RETRY_SECONDS)

    async def _write(self, happening: Happening, unsure: bool) -> None:
        """Write an Event; ``unsure`` where an earlier try may have done so."""
        count = self._counts.get(happening.name, (1, 0.0))[0]
        try:
            await self._kube.create("Event", self._body(happening, count))
        except Conflict:
            if not unsure:
                await self._count_up(happening, count)
        except NotFound:
            logger.debug("namespace %s is gone", happening.about.namespace)

    async def _count_up(self, happening: Happening, count: int) -> None:
        again = {"count": max(2, count), "lastTimestamp": rfc3339(time.time())}
        try:
            await self._kube.patch("Event", happening.about.namespace, happening.name, again)
        except NotFound as error:
            raise TryAgain(f"the Event of last time has expired: {error}") from error

    def _body(self, happening: Happening, count: int) -> Manifest:
        about, now = happening.about, rfc3339(time.time())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": happening.name, "namespace": about.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": OWNER_KINDS[type(about)].value,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "reason": happening.reason,
            "message": happening.message[:1024],
            "type": "Warning" if happening.warning else "Normal",
            "source": {"component": "dask-operator"},
            "reportingComponent": "dask-operator",
            "reportingInstance": self._reporter,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }
