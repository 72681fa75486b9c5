"""The queue of keys: once at a time, coalescing, backing off."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager, suppress

import pytest
from dask_operator.errors import TryAgain
from dask_operator.queue import KeyedQueue
from dask_operator.rests import SHORTEST
from dask_operator.store import Key
from dask_operator_api.kinds import Kind

A, B = (Key(Kind.CLUSTER, "ns", name) for name in "ab")
PATIENCE = 5.0


class Work:
    """Reconciles by noting it down, and by doing what it is told to."""

    def __init__(self) -> None:
        self.done: list[Key] = []
        self.running: list[Key] = []
        self.overlaps = 0
        self.answers: list[float | Exception | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: Key) -> float | None:
        self.overlaps += key in self.running
        self.running.append(key)
        await self.gate.wait()
        self.running.remove(key)
        self.done.append(key)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


async def until(holds: Callable[[], bool], what: str) -> float:
    """Wait for something to hold; gives the seconds that it took."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while not holds():
        assert loop.time() < begin + PATIENCE, f"still waiting for: {what}"
        await asyncio.sleep(0.002)
    return loop.time() - begin


@asynccontextmanager
async def running(
    work: Callable[[Key], Awaitable[float | None]],
    concurrency: int = 4,
    family: Callable[[Key], Hashable] = lambda key: key,
    per_family: int = 1,
) -> AsyncIterator[KeyedQueue]:
    queue = KeyedQueue(work, concurrency, family=family, per_family=per_family)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_is_added_many_times_is_worked_on_once() -> None:
    work = Work()
    async with running(work) as queue:
        for _ in range(10):
            queue.add(A)
        await until(lambda: work.done == [A], "one pass")
        await asyncio.sleep(4 * SHORTEST)
    assert work.done == [A]


async def test_news_during_a_pass_bring_exactly_one_more_pass_and_never_at_the_same_time() -> None:
    work = Work()
    work.gate.clear()
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: work.running == [A], "the first pass")
        for _ in range(5):
            queue.add(A)
        work.gate.set()
        await until(lambda: len(work.done) == 2, "the second pass")
        await asyncio.sleep(4 * SHORTEST)
    assert (work.done, work.overlaps) == ([A, A], 0)


async def test_news_soon_after_a_pass_waits_a_moment_for_more() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: work.done == [A], "the first pass")
        queue.add(A)
        assert await until(lambda: work.done == [A, A], "the second pass") > SHORTEST / 2


async def test_an_edit_waits_for_nothing_after_a_pass() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: work.done == [A], "the first pass")
        queue.add(A)
        queue.add(A, edited=True)
        assert await until(lambda: work.done == [A, A], "the second pass") < SHORTEST / 2


async def test_an_edit_during_a_pass_is_looked_at_right_after_it() -> None:
    work = Work()
    work.gate.clear()
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: work.running == [A], "the first pass")
        queue.add(A, edited=True)
        queue.add(A)  # news after the edit takes nothing of its haste
        work.gate.set()
        assert await until(lambda: work.done == [A, A], "the second pass") < SHORTEST / 2


async def test_what_was_edited_goes_before_what_has_only_news_even_if_that_waited_longer() -> None:
    work = Work()
    async with running(work, 1) as queue:
        work.gate.clear()
        queue.add(A)
        await until(lambda: work.running == [A], "the only worker to be busy")
        keys = [Key(Kind.CLUSTER, "ns", name) for name in ("news", "later-edited", "edited", "new")]
        for key, edited in zip(keys, (False, False, True, True), strict=True):
            queue.add(key, edited)
        queue.add(keys[1], True)
        assert queue.depth() == 5
        work.gate.set()
        await until(lambda: queue.depth() == 0, "everything to be done")
    assert [key.name for key in work.done] == ["a", "edited", "new", "later-edited", "news"]


async def test_what_has_waited_for_long_goes_before_any_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask_operator.queue.AHEAD_SECONDS", 0.05)
    work = Work()
    async with running(work, 1) as queue:
        work.gate.clear()
        queue.add(A)
        await until(lambda: work.running == [A], "the only worker to be busy")
        queue.add(B)
        begin = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > begin + 0.06, "some time to pass")
        edited = Key(Kind.CLUSTER, "ns", "edited")
        queue.add(edited, True)
        work.gate.set()
        await until(lambda: queue.depth() == 0, "everything to be done")
    assert work.done == [A, B, edited]


async def test_an_edit_does_not_shorten_the_pause_that_the_server_asked_for() -> None:
    work = Work()
    work.answers = [TryAgain("later", retry_after=0.4)]
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(work.done) == 1, "the first pass")
        queue.add(A, edited=True)
        assert await until(lambda: len(work.done) == 2, "the second pass") > 0.3


async def test_different_keys_are_worked_on_at_the_same_time_up_to_the_limit() -> None:
    work = Work()
    work.gate.clear()
    keys = [Key(Kind.CLUSTER, "ns", str(number)) for number in range(5)]
    async with running(work, concurrency=3) as queue:
        for key in keys:
            queue.add(key)
        await until(lambda: len(work.running) == 3, "three passes at a time")
        await asyncio.sleep(4 * SHORTEST)
        assert len(work.running) == 3
        work.gate.set()
        await until(lambda: sorted(work.done) == sorted(keys), "all keys")


async def test_a_pass_that_asks_to_be_repeated_is_repeated_after_its_pause() -> None:
    work = Work()
    work.answers = [0.1]
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(work.done) == 1, "the first pass")
        assert await until(lambda: len(work.done) == 2, "the second pass") > 0.05


async def test_news_come_before_the_pause_is_over_and_cancel_it() -> None:
    work = Work()
    work.answers = [0.8]
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(work.done) == 1, "the first pass")
        queue.add(A)
        assert await until(lambda: len(work.done) == 2, "the second pass") < 0.6
        await asyncio.sleep(0.8)
    assert len(work.done) == 2


async def test_of_two_pauses_the_shorter_counts() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after(A, 0.02)
        queue.add_after(A, 60)
        queue.add_after(B, 60)
        queue.add_after(B, 0.02)
        await until(lambda: sorted(work.done) == [A, B], "both keys")


@pytest.mark.parametrize("error", [TryAgain("later"), ValueError("a bug")])
async def test_a_failed_pass_is_repeated_ever_more_slowly_until_it_succeeds(error: Exception) -> None:
    work = Work()
    work.answers = [error, error, error]
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(work.done) == 3, "three failures")
        assert await until(lambda: len(work.done) == 4, "the success") > 0.15
        await asyncio.sleep(0.05)
    assert len(work.done) == 4


async def test_no_news_shorten_the_pause_that_the_server_asked_for() -> None:
    work = Work()
    work.answers = [TryAgain("slow down", retry_after=0.3)]
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(work.done) == 1, "the first pass")
        queue.add(A)
        assert await until(lambda: len(work.done) == 2, "the second pass") > 0.25


async def test_one_key_that_fails_holds_up_no_other() -> None:
    work = Work()
    work.answers = [TryAgain("later", retry_after=30)]
    async with running(work, concurrency=1) as queue:
        queue.add(A)
        queue.add(B)
        await until(lambda: work.done == [A, B], "the other key")


async def test_the_age_of_the_oldest_key_tells_that_work_has_stopped() -> None:
    work = Work()
    work.gate.clear()
    async with running(work) as queue:
        assert queue.oldest_age() == 0
        queue.add(A)
        await asyncio.sleep(0.05)
        assert queue.oldest_age() > 0.03
        work.gate.set()
        await until(lambda: queue.oldest_age() == 0, "an empty queue")


async def test_at_the_end_what_has_begun_is_finished_and_nothing_else_is_begun() -> None:
    work = Work()
    work.gate.clear()
    queue = KeyedQueue(work, 1)
    task = asyncio.create_task(queue.run())
    queue.add(A)
    queue.add(B)
    await until(lambda: work.running == [A], "the first key to be worked on")
    queue.end()
    assert not task.done()
    work.gate.set()
    await asyncio.wait_for(queue.finished(), PATIENCE)
    assert work.done == [A]


async def test_an_idle_queue_ends_at_once() -> None:
    queue = KeyedQueue(Work(), 3)
    task = asyncio.create_task(queue.run())
    await asyncio.sleep(0)
    queue.end()
    await asyncio.wait_for(task, PATIENCE)


async def test_a_queue_knows_how_long_ago_something_had_to_be_tried_again() -> None:
    work = Work()
    work.answers = [TryAgain("no")]
    async with running(work) as queue:
        assert queue.setback_age() == float("inf")
        queue.add(A)
        await until(lambda: work.done == [A, A], "the second try")
        assert queue.setback_age() < PATIENCE


def _groups(cluster: str, many: int) -> list[Key]:
    return [Key(Kind.WORKER_GROUP, "ns", f"{cluster}-{number}") for number in range(many)]


def _cluster_of(key: Key) -> str:
    return key.name.partition("-")[0]


async def test_a_cluster_of_many_groups_leaves_places_to_others_and_has_all_its_groups_looked_at() -> None:
    work = Work()
    work.gate.clear()
    huge, small = _groups("huge", 20), Key(Kind.CLUSTER, "ns", "small")
    async with running(work, 4, _cluster_of, 2) as queue:
        for key in huge:
            queue.add(key)
        await until(lambda: len(work.running) == 2, "two of the huge cluster")
        queue.add(small)
        await until(lambda: small in work.running, "the small one, beside them")
        assert len(work.running) == 3
        assert queue.depth() == 21
        work.gate.set()
        await until(lambda: len(work.done) == 21, "everything to be done")
    assert sorted(work.done) == sorted([*huge, small])


async def test_an_object_that_waits_for_its_clusters_places_is_looked_at_once_even_if_it_is_edited() -> None:
    work = Work()
    work.gate.clear()
    first, second, third = _groups("one", 3)
    async with running(work, 4, _cluster_of, 1) as queue:
        queue.add(first)
        await until(lambda: work.running == [first], "the first")
        for key in (second, third):
            queue.add(key)
        await asyncio.sleep(0)
        queue.add(third, edited=True)
        work.gate.set()
        await until(lambda: len(work.done) == 3, "all of them")
        await asyncio.sleep(4 * SHORTEST)
    assert (work.done, work.overlaps) == ([first, third, second], 0)


async def test_an_object_that_changes_its_cluster_while_it_waits_keeps_nobody_waiting() -> None:
    work = Work()
    work.gate.clear()
    first, second, third = _groups("one", 3)
    homes = dict.fromkeys((first, second, third), "one")
    async with running(work, 4, homes.__getitem__, 1) as queue:
        for key in (first, second, third):
            queue.add(key)
        await until(lambda: work.running == [first], "the first")
        homes[second] = "another"
        work.gate.set()
        await until(lambda: len(work.done) == 3, "all of them")


async def test_what_waits_for_its_cluster_s_places_is_no_sign_of_a_queue_that_stands_still() -> None:
    work = Work()
    work.gate.clear()
    first, second = _groups("one", 2)
    async with running(work, 4, _cluster_of, 1) as queue:
        queue.add(second)
        await until(lambda: work.running == [second], "the first")
        await asyncio.sleep(0.05)
        work.gate.set()
        work.gate = asyncio.Event()
        queue.add(first)
        await until(lambda: work.running == [first], "the next")
        queue.add(second, edited=True)
        await until(lambda: bool(list(queue._places.waiting())), "it to wait")
        queue._queued[second] -= 100.0
        assert queue.oldest_age() > 99
        assert queue.oldest_age(parked=False) < 99
        work.gate.set()
