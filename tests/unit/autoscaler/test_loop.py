"""When clusters are visited, and what the probes say."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest
from dask_operator_api.environment import SettingsError
from dask_operator_autoscaler import health
from dask_operator_autoscaler.loop import Loop
from dask_operator_autoscaler.settings import Settings
from dask_operator_autoscaler.store import Identity, Store

from tests.unit.autoscaler.worlds import scaler


class Visits:
    """Takes the visitor's place."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.hanging: set[str] = set()
        self.broken: set[str] = set()
        self.pause = 0.05
        self.known: set[str] = set()
        self.going_on = 0

    async def visit(self, home: Identity) -> float | None:
        self.times.setdefault(home[1], []).append(time.monotonic())
        if home[1] in self.broken:
            self.broken.discard(home[1])
            raise RuntimeError("a fault of ours")
        if home[1] in self.hanging:
            self.going_on += 1
            await asyncio.sleep(60)
        return self.pause

    def forget(self, uids: set[str]) -> None:
        self.known = uids


@asynccontextmanager
async def running(visits: Visits, *clusters: str) -> AsyncIterator[tuple[Loop, Store]]:
    """A loop over clusters with an autoscaler each."""
    store = Store()
    for name in clusters:
        store.autoscalers.put(scaler(name, cluster=name))
    loop = Loop(store, visits, time.monotonic, random.Random(1))  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    try:
        yield loop, store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: str, holds: Callable[[], object]) -> None:
    """Wait for a condition, at most 10 s."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, f"waited 10 s for {what}"
        await asyncio.sleep(0.01)


async def test_a_cluster_is_visited_again_and_again_after_the_pause_it_asks_for() -> None:
    visits = Visits()
    async with running(visits, "a") as (loop, _):
        loop.touch(("ns", "a"))
        await until("ten visits", lambda: len(visits.times.get("a", ())) >= 10)
    times = visits.times["a"]
    pauses = [after - before for before, after in pairwise(times)]
    assert min(pauses) >= 0.9 * visits.pause
    assert len({round(pause, 4) for pause in pauses}) > 1


async def test_clusters_that_hang_hold_up_no_other() -> None:
    visits = Visits()
    visits.hanging = {f"slow{number}" for number in range(50)}
    async with running(visits, "a", *visits.hanging) as (loop, _):
        for name in visits.hanging:
            loop.touch(("ns", name))
        await until("all to hang", lambda: visits.going_on == 50)
        loop.touch(("ns", "a"))
        await until("ten visits", lambda: len(visits.times.get("a", ())) >= 10)
        assert visits.times["a"][9] - visits.times["a"][0] < 5
        assert visits.going_on == 50


async def test_a_fault_in_one_visit_ends_no_other_and_not_the_next() -> None:
    visits = Visits()
    visits.broken = {"a"}
    async with running(visits, "a", "b") as (loop, _):
        loop.touch(("ns", "a"))
        loop.touch(("ns", "b"))
        await until("visits of b", lambda: len(visits.times.get("b", ())) >= 3)
        loop.touch(("ns", "a"))
        await until("another visit of a", lambda: len(visits.times.get("a", ())) >= 2)


async def test_an_edit_during_a_visit_brings_another_visit() -> None:
    visits = Visits()
    visits.pause = 1000.0
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(home: Identity) -> float:
        visits.times.setdefault(home[1], []).append(time.monotonic())
        begun.set()
        await go_on.wait()
        return visits.pause

    visits.visit = slow  # type: ignore[method-assign]
    async with running(visits, "a") as (loop, _):
        loop.touch(("ns", "a"))
        await begun.wait()
        loop.touch(("ns", "a"))
        go_on.set()
        await until("the second visit", lambda: len(visits.times["a"]) == 2)


async def test_a_loop_ends_when_it_is_told_to_in_the_moment_of_some_news() -> None:
    visits = Visits()
    visits.pause = 1000.0
    async with running(visits, "a") as (loop, _):
        loop.touch(("ns", "a"))
        await until("the visit", lambda: visits.times.get("a") and not loop._running)
        [task] = [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "run"]  # type: ignore[union-attr]
        for _ in range(3):  # the loop waits for news again
            await asyncio.sleep(0)
        loop._news.set()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=5)
        assert done


@pytest.mark.parametrize(
    ("clusters", "shortest", "longest"), [(20, 0.0, 0.1), (600, 2.0, 3.0), (2000, 4.0, 5.0)]
)
async def test_new_clusters_are_taken_up_spread_over_an_interval_and_a_few_at_once(
    clusters: int, shortest: float, longest: float
) -> None:
    visits = Visits()
    async with running(visits, *(f"c{number}" for number in range(clusters))) as (loop, _):
        loop.look_around()
        assert loop.lateness < 0.5
        assert len(visits.known) == clusters
        spread = sorted(loop._due.values())
        assert shortest <= spread[-1] - spread[0] <= longest
        loop.look_around()
        assert sorted(loop._due.values()) == spread


async def test_a_cluster_nobody_is_interested_in_is_dropped() -> None:
    visits = Visits()

    async def nobody(home: Identity) -> None:
        visits.times.setdefault(home[1], []).append(0.0)

    visits.visit = nobody  # type: ignore[method-assign]
    async with running(visits, "a") as (loop, _):
        loop.touch(("ns", "a"))
        await until("the visit", lambda: visits.times.get("a"))
        await until("the end of it", lambda: not loop._running)
        assert not loop._due


async def test_who_does_not_lead_visits_nobody_and_is_not_late_and_who_begins_to_visits_all() -> None:
    visits, leads = Visits(), False
    store = Store()
    for name in ("a", "b"):
        store.autoscalers.put(scaler(name, cluster=name))
    loop = Loop(store, visits, time.monotonic, random.Random(1), lambda: leads)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    try:
        loop.look_around()
        loop.touch(("ns", "a"))
        await until("all to be dropped", lambda: not loop._due)
        assert visits.times == {}
        assert loop.lateness == 0
        leads = True
        loop.look_around()
        await until("both", lambda: visits.times.keys() == {"a", "b"})
        leads = False
        await until("nothing to be due", lambda: not loop._due and not loop._running)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_who_leads_again_takes_up_what_was_dropped_though_nobody_says_so() -> None:
    visits, leads = Visits(), True
    store = Store()
    store.autoscalers.put(scaler("a", cluster="a"))
    loop = Loop(store, visits, time.monotonic, random.Random(1), lambda: leads)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    loop.touch(("ns", "a"))
    try:
        await until("the first visit", lambda: visits.times.get("a"))
        leads = False
        await until("nothing to be due", lambda: not loop._due and not loop._running)
        before = len(visits.times["a"])
        leads = True
        await until("another visit", lambda: len(visits.times["a"]) > before)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_autoscaler_works_while_it_lists_and_visits_and_tries_the_lease() -> None:
    assert health.trouble(300.0, 5.0, 5.0) == ""
    assert "listing" in health.trouble(901.0, 0.0, 0.0)
    assert "visited" in health.trouble(0.0, 61.0, 0.0)
    assert "Lease" in health.trouble(0.0, 0.0, 61.0)


async def test_the_probes_say_whether_it_works(unused_tcp_port: int) -> None:
    trouble, ready = "", False
    runner = await health.serve(unused_tcp_port, lambda: trouble, lambda: ready, lambda: b"numbers")
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as session:
            assert (await session.get("/healthz")).status == 200
            assert (await session.get("/readyz")).status == 503
            trouble, ready = "deaf", True
            answer = await session.get("/healthz")
            assert (answer.status, await answer.text()) == (500, "deaf\n")
            assert (await session.get("/readyz")).status == 200
            assert await (await session.get("/metrics")).text() == "numbers"
    finally:
        await runner.cleanup()


def test_settings_come_from_the_environment() -> None:
    prefix = "DASK_OPERATOR_AUTOSCALER_"
    read = Settings.from_environment(
        {
            f"{prefix}HTTP_PORT": "9",
            f"{prefix}LOG_FORMAT": "json",
            f"{prefix}LEASE": "l",
            "POD_NAME": "p",
            "POD_UID": "u",
            "POD_NAMESPACE": "n",
        }
    )
    wanted = Settings(http_port=9, log_format="json", lease="l", identity="p", pod_uid="u", namespace="n")
    assert read == wanted
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize(("name", "value"), [("HTTP_PORT", "x"), ("HTTP_PORT", "0"), ("LOG_LEVEL", "loud")])
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({f"DASK_OPERATOR_AUTOSCALER_{name}": value})
