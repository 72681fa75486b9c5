"""Calls side by side, so many for one cluster."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest
from dask_operator.errors import Refused, TryAgain
from dask_operator.reconcile.lanes import Lanes

HUGE, SMALL = ("ns", "huge"), ("ns", "small")


@dataclass
class Calls:
    """Calls that are answered when the test says so."""

    lanes: Lanes
    under_way: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, name: str) -> None:
        self.under_way.append(name)
        self.news.set()
        await self.answer.wait()
        self.under_way.remove(name)
        self.made.append(name)

    def begin(self, home: Hashable, *names: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self.lanes.side_by_side(home, names, self.call))

    async def until_under_way(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while sorted(self.under_way) != sorted(names):
                self.news.clear()
                await self.news.wait()


async def test_the_groups_of_one_cluster_share_its_lanes_and_other_clusters_have_their_own() -> None:
    calls = Calls(Lanes(2))
    tasks = [calls.begin(HUGE, "a", "b", "c"), calls.begin(HUGE, "d"), calls.begin(SMALL, "e")]
    await calls.until_under_way("a", "b", "e")
    calls.answer.set()
    await asyncio.gather(*tasks)
    assert sorted(calls.made) == ["a", "b", "c", "d", "e"]


async def test_nothing_is_kept_of_a_cluster_of_which_nothing_is_to_be_done() -> None:
    lanes = Lanes(2)
    calls = Calls(lanes)
    calls.answer.set()
    await calls.begin(HUGE, "a")
    assert len(lanes._of) == 0


async def test_after_a_failure_nothing_further_is_begun_and_a_refusal_is_what_is_told() -> None:
    begun = []

    async def call(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        raise Refused("no", 403) if number else TryAgain("later")

    with pytest.raises(Refused):
        await Lanes(2).side_by_side(HUGE, range(5), call)
    assert begun == [0, 1]
