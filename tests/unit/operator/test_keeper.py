"""The keeper of the watches: what it starts, and when it starts it anew."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from dask_operator.watching import keeper as keepers
from dask_operator.watching.hearing import Hearing
from dask_operator.watching.keeper import Keeper


class Watches:
    """kopf, as far as the keeper knows it."""

    def __init__(self) -> None:
        self.started: list[list[str | None]] = []
        self.stopped = 0
        self.over = asyncio.Event()

    @property
    def running(self) -> bool:
        return not self.over.is_set()

    def start(self, spaces: Sequence[str | None]) -> None:
        self.started.append(list(spaces))
        self.over.clear()

    async def ended(self) -> None:
        await self.over.wait()

    async def stop(self) -> None:
        self.stopped += 1


class PodWatch:
    """The watch on Pods: which namespaces it watches at this moment."""

    def __init__(self) -> None:
        self.watched: list[list[str | None]] = []
        self.begun = 0
        self.failure: Exception | None = None

    async def run(self, spaces: Sequence[str | None]) -> None:
        self.begun += 1
        self.watched.append(list(spaces))
        try:
            if self.failure is not None:
                raise self.failure
            await asyncio.Event().wait()
        finally:
            self.watched.remove(list(spaces))


class Around:
    """The territory and the survey."""

    def __init__(self, spaces: list[str | None]) -> None:
        self.spaces = spaces
        self.wanted: list[str] = []
        self.asked = 0

    def soon(self) -> None:
        self.asked += 1


class World:
    """A keeper with everything around it."""

    def __init__(self, *spaces: str | None) -> None:
        self.watches, self.pods, self.around, self.hearing = (
            Watches(),
            PodWatch(),
            Around([*spaces]),
            Hearing(),
        )
        self.keeper = Keeper(
            watches=cast(Any, self.watches),
            pod_watch=cast(Any, self.pods),
            hearing=self.hearing,
            intake=cast(Any, None),
            survey=cast(Any, self.around),
            territory=cast(Any, self.around),
            steady=lambda: 100.0,
            clock=lambda: 0.0,
        )


@asynccontextmanager
async def running(world: World) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(cast(Any, world.keeper.run()))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, RuntimeError):
            await task


async def until(what: str, true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not within 2 s: {what}")


async def test_pods_are_watched_where_everything_else_is_and_no_more_after_the_end() -> None:
    world = World("a", "b")
    async with running(world):
        await until("the watch on Pods", lambda: world.pods.watched == [["a", "b"]])
        assert world.watches.started == [["a", "b"]]
    assert world.pods.watched == []


async def test_a_deaf_watch_has_all_of_them_started_anew() -> None:
    world = World(None)
    async with running(world):
        await until("the watches", lambda: world.pods.begun == 1)
        world.hearing.listed(("Pod", None), [7], [])
        world.keeper.judge()
        await until("the second life", lambda: world.pods.begun == 2)
        assert (world.watches.stopped, world.around.asked, world.pods.watched) == (1, 1, [[None]])


async def test_the_watch_on_pods_starts_anew_when_kopf_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(keepers, "LONGEST_PAUSE", 0.01)
    world = World(None)
    async with running(world):
        await until("the watches", lambda: world.pods.begun == 1)
        world.watches.over.set()
        await until("the second life", lambda: world.pods.begun == 2)
        assert world.pods.watched == [[None]]


async def test_a_watch_on_pods_that_breaks_is_no_secret() -> None:
    world = World(None)
    world.pods.failure = RuntimeError("broken")
    async with running(world) as task:
        await asyncio.wait({task}, timeout=2)
        assert task.done()
        assert isinstance(task.exception(), RuntimeError)


async def test_where_nothing_is_to_be_watched_no_pod_is() -> None:
    world = World()
    async with running(world):
        await until("the watches", lambda: world.watches.started == [[]])
        assert world.pods.begun == 0
