"""Many lives at a time under one operator, each with one fault of its own."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from .api_calls import Point, event_role
from .api_server import ApiServer, path_of
from .exactness import late
from .fault_proxy import FaultProxy
from .faults import Fault, faults_of
from .scenario import STEPS, Life, Step, live, prepare
from .worlds import Worlds

STEP_SECONDS = 60.0
"""More than a call that is never answered, its repetition and the longest pauses of the operator take together."""


EVENT_SECONDS = 30.0
"""The same for an Event."""


@dataclass(frozen=True, order=True)
class Case:
    """A call of the scenario, and what happens to it."""

    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.point} {self.fault.value}"


@dataclass
class Report:
    """What a sweep came to."""

    lives: list[Life]
    not_met: list[Case]
    """Cases whose call never came: runs differ a little in how often a status is written."""
    late: list[str]
    """What was seen in namespaces after their cluster had gone, and Events that never came."""

    @property
    def met(self) -> int:
        """Of how many cases the call came, and was broken."""
        return len(self.lives) - len(self.not_met)

    def __add__(self, other: "Report") -> "Report":
        """Both together."""
        return Report(self.lives + other.lives, self.not_met + other.not_met, self.late + other.late)

    @property
    def failures(self) -> list[str]:
        """Everything that was not right, with the case that it was in."""
        return [f"{life.label}: {life.failure}" for life in self.lives if life.failure] + self.late

    def told(self, log: Path) -> str:
        """All failures, each with what the operator said about that namespace."""
        parts = []
        text = log.read_text(errors="replace").splitlines()
        for life in self.lives:
            if life.failure:
                said = [line[:300] for line in text if life.namespace in line][-15:]
                parts.append("\n    ".join([f"{life.label} [{life.namespace}]: {life.failure}", *said]))
        return "\n".join([*parts, *self.late])


class Sweep:
    """Runs lives, a few at a time. Make it with :func:`sweep`."""

    def __init__(
        self,
        api: ApiServer,
        worlds: Worlds,
        proxy: FaultProxy,
        prefix: str,
        lanes: int,
        steps: Sequence[Step] = STEPS,
    ) -> None:
        self.proxy = proxy
        self._steps = steps
        self._api = api
        self._worlds = worlds
        self._prefix = prefix
        self._lanes = asyncio.Semaphore(lanes)
        self._under_way: set[str] = set()
        self._number = 0

    async def life(
        self,
        label: str,
        arm: Callable[[str], None] | None = None,
        before: Callable[[str], None] | None = None,
        limit: float = STEP_SECONDS,
    ) -> Life:
        """One life in a new namespace, which ``arm`` is told."""
        async with self._lanes:
            self._number += 1
            life = Life(f"{self._prefix}{self._number}", label)
            await prepare(self._api, life.namespace)
            if arm is not None:
                arm(life.namespace)
            self._under_way.add(life.namespace)
            try:
                return await live(self._api, self._worlds, life, limit, before, self._steps)
            finally:
                self._under_way.discard(life.namespace)

    def moments(self) -> list[Point]:
        """The last call of each life that is under way."""
        lanes = [self.proxy.lane(namespace) for namespace in self._under_way]
        return [lane.calls[-1] for lane in lanes if lane.calls]

    async def cases(self, cases: Iterable[Case]) -> Report:
        """One life for each case; those that take longest first."""
        ordered = sorted(cases, key=lambda case: (case.fault is not Fault.TIMEOUT, case.point))
        lives = await asyncio.gather(*(self._case(case) for case in ordered))
        not_met = [
            case
            for case, life in zip(ordered, lives, strict=True)
            if not life.failure and not self.proxy.lane(life.namespace).met
        ]
        unwritten = [
            f"{case}: the Event was not written"
            for case, life in zip(ordered, lives, strict=True)
            if case.point.resource == "events"
            and case not in not_met
            and not await self._is_written(case, life)
        ]
        return Report(list(lives), not_met, [*self.afterwards(lives), *unwritten])

    async def _is_written(self, case: Case, life: Life) -> bool:
        """Whether an Event is there although its first write was broken. Nothing in a life waits for its Events."""
        path, deadline = f"/api/v1/namespaces/{life.namespace}/events", time.monotonic() + EVENT_SECONDS
        while True:
            events = (await self._api.call("GET", path))["items"]
            if sum(event_role(event) == case.point.role for event in events) >= case.point.nth:
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.5)

    async def _case(self, case: Case) -> Life:
        return await self.life(
            str(case), lambda namespace: self.proxy.break_call(namespace, case.point, case.fault)
        )

    async def points(self, runs: int) -> list[Point]:
        """Every call of the scenario that most of a few runs without a fault have in common."""
        lives = await asyncio.gather(*(self.life(f"dry run {number + 1}") for number in range(runs)))
        bad = [life.failure for life in lives if life.failure]
        assert not bad, f"the scenario goes wrong without any fault: {bad}"
        found = Counter(point for life in lives for point in self.proxy.lane(life.namespace).calls)
        return sorted(point for point, many in found.items() if many > runs / 2)

    def afterwards(self, lives: Iterable[Life]) -> list[str]:
        """What is in namespaces whose life has ended well, although nothing should be."""
        found = []
        for life in lives:
            world = self._worlds.of(life.namespace)
            if not life.failure and not world.is_empty:
                found.append(f"{life.label}: something has come after the end: {world.objects}")
            found += [f"{life.label}: {what}" for what in late(world) if not life.failure]
        return found


@asynccontextmanager
async def sweep(proxy: FaultProxy, lanes: int, steps: Sequence[Step] = STEPS) -> AsyncIterator[Sweep]:
    """A sweep in namespaces of its own, which go at its end; by default, over the life of a cluster."""
    prefix = f"faults-{secrets.token_hex(3)}-"
    async with ApiServer() as api:
        worlds, listed = Worlds(api, prefix), asyncio.Event()
        following = asyncio.create_task(worlds.follow(listed.set))
        await _first(listed.wait(), following)
        running = Sweep(api, worlds, proxy, prefix, lanes, steps)
        try:
            yield running
            if following.done():
                following.result()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await _remove_namespaces(api, prefix)


async def _first(awaited: Awaitable[object], following: asyncio.Task[None]) -> None:
    """Wait for something, but no longer than the following goes on."""
    task = asyncio.ensure_future(awaited)
    await asyncio.wait({task, following}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    if following.done():
        following.result()
    assert task.done(), "not within 30 s: the first listing of everything"


async def _remove_namespaces(api: ApiServer, prefix: str) -> None:
    answer = await api.call("GET", path_of("namespaces"))
    names = [item["metadata"]["name"] for item in answer["items"]]
    for name in names:
        if name.startswith(prefix):
            await api.call("DELETE", path_of("namespaces", "", name))


async def until_met(
    try_cases: Callable[[Sequence[Case]], Awaitable[Report]], cases: Sequence[Case], many: int
) -> Report:
    """Try cases, those in front first, until the calls of so many have come; twice as many are tried at most.

    Which calls come differs a little from run to run: another case takes the place of one whose call did not.
    """
    report, rest = Report([], [], []), list(cases[: 2 * many])
    while (missing := many - report.met) > 0 and rest:
        report += await try_cases(rest[:missing])
        rest = rest[missing:]
    return report


def all_cases(points: Iterable[Point]) -> list[Case]:
    """Every point with every fault that it can have."""
    return [Case(point, fault) for point in points for fault in faults_of(point)]
