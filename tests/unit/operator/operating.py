"""The real operator in a simulated world: started, told what happens, and let work until it waits for something."""

import asyncio
import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, cast

from dask_operator.api_server.kube import Kube
from dask_operator.api_server.recorder import Recorder
from dask_operator.errors import ApiError
from dask_operator.intake import Intake, is_watched
from dask_operator.queue import KeyedQueue
from dask_operator.reconcile import Context, reconcile
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.settings import Settings
from dask_operator.store import Key, Store

MOST_PASSES = 40
"""More passes than this without time moving on is a hot loop."""


class Crash(Exception):
    """The operator's process is killed."""


@dataclass
class Waiting:
    """Stands in for the queue: remembers only which objects are to be looked at."""

    keys: set[Key] = field(default_factory=set)

    def add(self, key: Key, edited: bool = False) -> None:
        self.keys.add(key)

    def add_after(self, key: Key, seconds: float) -> None:
        self.keys.add(key)


class Operating(ABC):
    """A world with an operator in it, which looks after one object."""

    key: Key
    kube: Any
    """The simulated API server: its objects, and the events that a watch would tell."""
    deaf_to: frozenset[str] = frozenset()
    """Kinds whose watches tell nothing, for now."""
    due: float | None

    @abstractmethod
    def clock(self) -> float:
        """Monotonic seconds; no two readings are the same."""

    @abstractmethod
    def wall(self) -> float:
        """Seconds since the epoch."""

    @abstractmethod
    def schedulers(self) -> object:
        """What stands in for the calls to Dask schedulers."""

    def start_operator(self) -> None:
        """A new process: it knows what a listing tells."""
        self.waiting, self.due = Waiting(), None
        self.store = Store()
        queue, kube = cast(KeyedQueue, self.waiting), cast(Kube, self.kube)
        desk = SchedulerDesk(cast(DaskSchedulers, self.schedulers()), self.waiting.add, self.clock)
        self.intake = Intake(self.store, queue, desk)
        recorder = Recorder(kube, "test")
        self.context = Context(
            Settings(), kube, self.store, self.intake, desk, recorder, self.clock, self.wall
        )
        self.kube.events.clear()
        for (kind, _), body in self.kube.objects.items():
            if is_watched(kind, body):
                self.intake.saw(kind, copy.deepcopy(body))
        self.waiting.add(self.key)

    def deliver(self) -> None:
        """The watches tell what has happened."""
        heard = [told for told in self.kube.events if told[1]["kind"] not in self.deaf_to]
        self.kube.events = [told for told in self.kube.events if told[1]["kind"] in self.deaf_to]
        for event, body in heard:
            meta = body["metadata"]
            if not is_watched(body["kind"], body):
                continue
            if event == "DELETED":
                self.intake.gone(body["kind"], "ns", meta["name"], meta["uid"], int(meta["resourceVersion"]))
            else:
                self.intake.saw(body["kind"], body)

    async def settle(self) -> int:
        """Let the operator work until it waits for something; gives how many passes that took."""
        for passes in range(MOST_PASSES):
            for _ in range(8):
                await asyncio.sleep(0)
            self.deliver()
            due = self.due is not None and self.due <= self.clock()
            if self.key not in self.waiting.keys and not due:
                return passes
            self.waiting.keys.clear()
            await self._pass()
        raise AssertionError(f"a hot loop: {MOST_PASSES} passes and no end")

    async def _pass(self) -> None:
        self.due = None
        try:
            again = await reconcile(self.context, self.key)
        except Crash:
            self.start_operator()
        except ApiError:
            self.due = self.clock() + 1
        else:
            self.due = None if again is None else self.clock() + again
