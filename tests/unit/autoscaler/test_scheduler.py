"""Asking real Dask schedulers, and servers that behave like none."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from aiohttp import web
from dask_operator_api.conditions import Reason
from dask_operator_autoscaler import scheduler as module
from dask_operator_autoscaler.answers import Answers
from dask_operator_autoscaler.decide import Demand
from dask_operator_autoscaler.demand import Place, demand
from dask_operator_autoscaler.errors import SchedulerUnreachable
from dask_operator_autoscaler.scheduler import Lane, Question, Schedulers

from tests.unit.autoscaler.dask_in_process import GROUP, NAMELESS, InProcess, dask_cluster

GATE = threading.Event()


def pass_gate(_: object = None) -> int:
    """Runs until the gate is opened."""
    assert GATE.wait(20), "nobody opened the gate"
    return 1


@pytest.fixture(autouse=True)
def _closed_gate() -> Any:
    GATE.clear()
    yield
    GATE.set()


@pytest.fixture
async def schedulers() -> AsyncIterator[Schedulers]:
    made = Schedulers()
    yield made
    await made.close()


async def until(what: str, holds: Callable[[], object]) -> None:
    """Wait for a condition, at most 20 s."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"waited 20 s for {what}"
        await asyncio.sleep(0.01)


def question(replicas: int, **more: Any) -> Question:
    """About the default group, with 0 to 20 workers."""
    return Question(Place(GROUP, replicas, **more), 0, 20)


async def test_a_sleeping_cluster_is_asked_for_one_number(schedulers: Schedulers) -> None:
    async with stub({"/api/v1/adaptive_target": {"workers": 0}}) as base:
        assert await schedulers.ask(base, [question(0)]) == Answers(0, ())


async def test_waiting_tasks_of_unknown_duration_wake_a_cluster_with_most_of_a_worker_each(
    schedulers: Schedulers,
) -> None:
    async with dask_cluster() as dask:
        futures = dask.client.map(pass_gate, range(40))
        await until("the tasks", lambda: len(dask.scheduler.unrunnable) + len(dask.scheduler.queued) == 40)
        answers = await schedulers.ask(dask.base, [question(0)])
        assert answers.target == 4
        assert answers.counts is not None
        assert answers.counts.ready == 40
        assert demand(Place(GROUP, 0, maximum=20), answers).wish == 16
        del futures


async def test_busy_workers_are_seen_with_what_they_have_to_do(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(2, nthreads=2)
        futures = dask.client.map(pass_gate, range(100))
        await until("the tasks", lambda: len(dask.scheduler.tasks) == 100)
        answers = await schedulers.ask(dask.base, [question(2)])
        assert answers.target > 2
        assert answers.rows is not None
        assert [row.threads for row in answers.rows] == [2, 2]
        assert all(row.busy >= 2 and row.occupancy > 0 and row.limit == 2**30 for row in answers.rows)
        assert answers.counts is None
        GATE.set()
        await dask.client.gather(futures)


async def test_idle_workers_may_go_to_the_last(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(3)
        answers = await schedulers.ask(dask.base, [question(3)])
        found = demand(Place(GROUP, 3), answers)
        assert (found.wish, found.floor) == (0, 0)


async def test_a_result_keeps_a_worker(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(3)
        GATE.set()
        future = dask.client.submit(pass_gate)
        await future
        answers = await schedulers.ask(dask.base, [question(3)])
        found = demand(Place(GROUP, 3), answers)
        assert (found.wish, found.floor) == (1, 1)
        assert found.why_floor is Reason.NO_ROOM_FOR_RESULTS


async def test_workers_with_a_task_stay_and_idle_ones_may_go(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(3)
        future = dask.client.submit(pass_gate)
        await until("the task", lambda: any(ws.processing for ws in dask.scheduler.workers.values()))
        found = demand(Place(GROUP, 3), await schedulers.ask(dask.base, [question(3)]))
        assert (found.wish, found.floor) == (1, 1)
        GATE.set()
        await future


def partition(number: int) -> pd.DataFrame:
    """A piece of a data frame; the last one waits for the gate."""
    if number == 7:
        pass_gate()
    return pd.DataFrame({"x": range(number, number + 40), "y": 1})


async def test_nobody_may_go_while_a_shuffle_runs_even_if_nearly_all_are_idle(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(4)
        frame = dd.from_map(partition, range(8), meta=partition(0)).shuffle(
            "x", shuffle_method="p2p", npartitions=8
        )
        total = dask.client.compute(frame.y.sum())
        await until(
            "all but one worker to have nothing left to do", lambda: _handed_out(dask) and _idle(dask) == 3
        )
        answers = await schedulers.ask(dask.base, [question(4)])
        assert demand(Place(GROUP, 4), answers).wish == 4
        await dask.add_workers(
            1
        )  # one that has no part in it, and could go, if the operator knew which one it is
        answers = await schedulers.ask(dask.base, [question(5)])
        assert answers.target == 4
        assert demand(Place(GROUP, 5), answers) == Demand(4, 5, Reason.SHUFFLE_RUNNING)
        GATE.set()
        assert await total == 8 * 40


def _handed_out(dask: InProcess) -> int:
    transfers = [ts for key, ts in dask.scheduler.tasks.items() if "transfer" in str(key)]
    return sum(1 for ts in transfers if ts.state == "memory")


def _idle(dask: InProcess) -> int:
    return sum(1 for ws in dask.scheduler.workers.values() if not ws.processing)


async def test_workers_with_names_of_their_own_are_taken_for_the_only_groups(schedulers: Schedulers) -> None:
    async with dask_cluster() as dask:
        await dask.add_workers(2, group=NAMELESS)
        answers = await schedulers.ask(dask.base, [question(5)], only_group=GROUP)
        assert demand(Place(GROUP, 5), answers).floor == 0
        assert answers.rows is not None
        assert {row.name for row in answers.rows} == set(answers.names)


@asynccontextmanager
async def stub(answers: dict[str, Any]) -> AsyncIterator[str]:
    """A server that answers with JSON, text, or what a coroutine function gives; 404 to all else."""

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        if callable(answer):
            answer = await answer()
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "is not served"),
        ({"/api/v1/adaptive_target": web.Response(status=500)}, "HTTP 500"),
        ({"/api/v1/adaptive_target": web.Response(text="hello")}, "JSON"),
        ({"/api/v1/adaptive_target": [1]}, "object"),
        ({"/api/v1/adaptive_target": {"workers": "many"}}, "no number"),
        ({"/api/v1/adaptive_target": {"workers": 3}, "/api/v1/get_workers": {}}, "no list of workers"),
    ],
)
async def test_what_is_not_a_schedulers_answer_is_told(
    schedulers: Schedulers, answers: dict[str, Any], words: str
) -> None:
    async with stub(answers) as base:
        with pytest.raises(SchedulerUnreachable, match=words):
            await schedulers.ask(base, [question(0)])


async def test_a_page_that_cannot_be_read_is_told(schedulers: Schedulers) -> None:
    answers = {
        "/api/v1/adaptive_target": {"workers": 9},
        "/api/v1/get_workers": {"workers": [{"name": "c-default-worker-0000000001"}]},
        "/info/main/workers.html": web.Response(text="<p>no table</p>"),
    }
    async with stub(answers) as base:
        with pytest.raises(SchedulerUnreachable, match="page of workers"):
            await schedulers.ask(base, [question(1)])


async def test_nobody_listening_is_told_at_once(schedulers: Schedulers) -> None:
    async with stub({}) as base:
        pass
    with pytest.raises(SchedulerUnreachable):
        await schedulers.ask(base, [question(0)])


async def test_schedulers_that_hang_take_no_connection_from_those_that_answer(
    schedulers: Schedulers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)
    asked = 0

    async def hang() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)

    async with (
        stub({"/api/v1/adaptive_target": hang}) as hanging,
        stub({"/api/v1/adaptive_target": {"workers": 0}}) as healthy,
    ):
        silent = [
            asyncio.create_task(schedulers.ask(hanging, [question(0)], lane=Lane.SLOW)) for _ in range(100)
        ]
        await until("the first to hang", lambda: asked)
        assert await schedulers.ask(healthy, [question(0)]) == Answers(0, ())
        assert not any(task.done() for task in silent)
        results = await asyncio.gather(*silent, return_exceptions=True)
        assert all(isinstance(result, SchedulerUnreachable) for result in results)
        assert asked <= Lane.SLOW.value
