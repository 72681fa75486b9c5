"""The watch on Pods: what it takes in, where it goes on, and when it lists again."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from dask_operator.api_server.answers import Change, change_in
from dask_operator.api_server.kube import Kube, Listing
from dask_operator.errors import ApiError, TryAgain
from dask_operator.intake import Intake
from dask_operator.observed import ObjectView
from dask_operator.queue import KeyedQueue
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.store import Store
from dask_operator.watching import pod_watch
from dask_operator.watching.hearing import Hearing
from dask_operator.watching.pod_watch import PodWatch
from dask_operator_api.manifests import Manifest

Tree = dict[str, Any]


def _pod(name: str, version: int) -> Tree:
    labels = {"dask.org/cluster-name": "c", "dask.org/component": "worker", "dask.org/workergroup-name": "g"}
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {
        "kind": "Pod",
        "metadata": {**meta, "labels": labels, "creationTimestamp": "2026-11-22T10:00:00Z"},
        "spec": {"containers": [{"name": "worker"}]},
        "status": {},
    }


class ScriptedKube:
    """Gives one listing or watch after the other; then waits for ever."""

    def __init__(
        self, listings: list[Listing[Manifest] | ApiError], watches: list[list[Change | ApiError]]
    ) -> None:
        self.listings = listings
        self.watches = watches
        self.since: list[int] = []
        self.idle = asyncio.Event()

    async def list_as(
        self, kind: str, read: Callable[[Manifest], ObjectView], selector: str, namespace: str | None
    ) -> Listing[ObjectView]:
        assert (kind, namespace) == ("Pod", None)
        answer = self.listings.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return Listing([read(body) for body in answer.items], answer.version)

    async def watch(
        self, kind: str, version: int, selector: str, namespace: str | None
    ) -> AsyncGenerator[Change, None]:
        self.since.append(version)
        if not self.watches:
            self.idle.set()
            await asyncio.Event().wait()
        for told in self.watches.pop(0):
            if isinstance(told, ApiError):
                raise told
            yield told


class World:
    """The parts around the watch."""

    def __init__(self) -> None:
        self.store = Store()
        self.hearing = Hearing()

    async def watch(self, kube: ScriptedKube, known_at: int = 0) -> None:
        """Let it run until nothing more is scripted; the Pods are known at that version from elsewhere."""
        known = [known_at]
        queue = KeyedQueue(cast(Any, None), 1, cast(Any, None))
        desk = SchedulerDesk(cast(Any, None), queue.add, lambda: 0.0, cast(Any, None))
        intake = Intake(self.store, queue, desk)
        running = asyncio.create_task(self._made(cast(Kube, kube), intake, known).run([None]))
        async with asyncio.timeout(5):
            await kube.idle.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    def _made(self, kube: Kube, intake: Intake, known: list[int]) -> PodWatch:
        return PodWatch(kube, intake, self.hearing, lambda _: known.pop() if known else 0)

    @property
    def held(self) -> dict[str, int]:
        """Pods in the store, and at which version."""
        return {pod.name: pod.version for pod in self.store.pods.objects.values()}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_watch, "pauses", lambda: iter([0.0] * 100))


def _bookmark(version: int) -> Change:
    return Change("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


async def test_what_is_listed_and_what_happens_then_is_taken_in() -> None:
    world = World()
    changes = [
        Change("ADDED", _pod("b", 11)),
        Change("MODIFIED", _pod("a", 12)),
        Change("DELETED", _pod("b", 13)),
    ]
    kube = ScriptedKube([Listing([_pod("a", 5)], 10)], [[*changes]])
    await world.watch(kube)
    assert world.held == {"a": 12}
    assert kube.since[0] == 10


async def test_where_the_pods_are_known_it_follows_from_there_and_lists_only_after_an_error() -> None:
    world = World()
    changes: list[list[Change | ApiError]] = [[Change("ADDED", _pod("b", 11))], [TryAgain("too old")], []]
    kube = ScriptedKube([Listing([_pod("b", 11)], 30)], changes)
    await world.watch(kube, known_at=7)
    assert world.held == {"b": 11}
    assert kube.since == [7, 11, 30, 30]


async def test_after_an_ordinary_end_it_goes_on_from_the_newest_it_was_told() -> None:
    world = World()
    kube = ScriptedKube([Listing([], 10)], [[Change("ADDED", _pod("a", 11))], [_bookmark(20)], []])
    await world.watch(kube)
    assert kube.since == [10, 11, 20, 20]


@pytest.mark.parametrize("error", [TryAgain("too old resource version"), ApiError("refused")])
async def test_after_an_error_it_lists_again_and_what_has_gone_meanwhile_is_gone(error: ApiError) -> None:
    world = World()
    kube = ScriptedKube(
        [Listing([_pod("a", 5), _pod("b", 6)], 10), TryAgain("no answer"), Listing([_pod("b", 6)], 30)],
        [[Change("MODIFIED", _pod("a", 12)), error]],
    )
    await world.watch(kube)
    assert world.held == {"b": 6}
    assert kube.since == [10, 30]


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which lasts."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds:
            made.append(seconds)

    monkeypatch.setattr(pod_watch, "pauses", lambda: iter(range(1, 100)))
    monkeypatch.setattr(PodWatch, "sleep", staticmethod(sleep))
    return made


async def test_where_listing_works_and_watching_does_not_the_pauses_grow(paused: list[float]) -> None:
    refused: list[Change | ApiError] = [TryAgain("too many requests")]
    listings: list[Listing[Manifest] | ApiError] = [Listing([], 10) for _ in range(4)]
    await World().watch(ScriptedKube(listings, [refused, refused, refused]))
    assert paused == [1, 2, 3]


async def test_a_watch_that_ends_at_once_is_not_asked_for_again_at_once(paused: list[float]) -> None:
    kube = ScriptedKube([Listing([], 10)], [[], []])
    await World().watch(kube)
    assert (paused, kube.since) == ([1, 2], [10, 10, 10])


async def test_a_watch_that_has_told_of_something_has_all_pauses_before_it_again(paused: list[float]) -> None:
    broken: list[Change | ApiError] = [_bookmark(20), TryAgain("cut")]
    listings: list[Listing[Manifest] | ApiError] = [Listing([], 10), Listing([], 30), Listing([], 40)]
    await World().watch(ScriptedKube(listings, [[TryAgain("cut")], broken]))
    assert paused == [1, 1]


async def test_a_watch_that_was_told_of_a_version_owes_nothing_up_to_it() -> None:
    world = World()
    await world.watch(ScriptedKube([Listing([_pod("a", 5)], 10)], [[_bookmark(40)]]))
    world.hearing.listed(("Pod", None), [40], [])
    assert world.hearing.deaf() == []
    world.hearing.listed(("Pod", None), [41], [])
    assert world.hearing.deaf() == [("Pod", None)]


def test_an_error_in_a_watch_is_raised_in_the_api_servers_words() -> None:
    with pytest.raises(TryAgain, match="too old resource version"):
        change_in(
            b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version: 1 (9)"}}'
        )
