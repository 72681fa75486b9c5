"""The desk that talks to schedulers in the background."""

import asyncio
from typing import cast

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import DaskWorker, PodView
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.store import Key
from dask_operator_api.kinds import Kind

from tests.unit.operator.worlds import scheduler, worker

KEY, OTHER = Key(Kind.WORKER_GROUP, "ns", "g"), Key(Kind.CLUSTER, "ns", "c")
WORKER = DaskWorker("tcp://10.0.0.1:4", "w", "10.0.0.1")


class Desk:
    """A desk with a scheduler behind it that answers when it is told to, and a clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0
        self.woken: list[Key] = []
        self.asked: list[bool] = []
        self.retired: list[str] = []
        self.problem: str | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.desk = SchedulerDesk(cast(DaskSchedulers, self), self.woken.append, lambda: self.now)

    async def workers(self, host: str, port: int, with_loads: bool) -> tuple[DaskWorker, ...]:
        self.asked.append(with_loads)
        await self._answer()
        return (WORKER,)

    async def retire(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        self.retired += addresses
        await self._answer()

    async def _answer(self) -> None:
        await self.open.wait()
        if self.problem:
            raise SchedulerUnreachable(self.problem)

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_an_answer_is_kept_and_wakes_everybody_who_waits_for_it_once() -> None:
    world = Desk()
    world.open.clear()
    for key in (KEY, OTHER, KEY):
        assert world.desk.ask(scheduler(), key) is None
    await world.settle()
    world.open.set()
    await world.settle()
    assert len(world.asked) == 1
    assert sorted(world.woken) == sorted([KEY, OTHER])
    roster = world.desk.roster(scheduler())
    assert roster is not None
    assert roster.workers == (WORKER,)


async def test_loads_are_asked_for_if_anybody_wants_them() -> None:
    world = Desk()
    world.desk.ask(scheduler(), KEY)
    world.desk.ask(scheduler(), OTHER, with_loads=True)
    await world.settle()
    assert world.asked == [True]


async def test_another_life_of_the_scheduler_has_said_nothing_yet() -> None:
    world = Desk()
    world.desk.ask(scheduler(), KEY)
    await world.settle()
    for other in (scheduler(restarts=1), scheduler(uid="another"), scheduler("waiting"), None):
        assert world.desk.roster(other) is None


async def test_a_scheduler_that_does_not_answer_is_asked_ever_more_rarely() -> None:
    world = Desk()
    world.problem = "connection refused"
    pauses = []
    for _ in range(8):
        world.desk.ask(scheduler(), KEY)
        await world.settle()
        pause = world.desk.ask(scheduler(), KEY)
        assert pause is not None
        pauses.append(pause)
        world.now += pause
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 15
    roster = world.desk.roster(scheduler())
    assert roster is not None
    assert (roster.reachable, roster.problem) == (False, "connection refused")


async def test_a_scheduler_that_answers_again_is_asked_without_a_pause() -> None:
    world = Desk()
    world.problem = "connection refused"
    world.desk.ask(scheduler(), KEY)
    await world.settle()
    world.now, world.problem = world.now + 60, None
    for _ in range(2):
        assert world.desk.ask(scheduler(), KEY) is None
        await world.settle()
    assert len(world.asked) == 3


async def test_a_silence_begins_with_its_first_question_and_ends_with_an_answer_or_a_life() -> None:
    world = Desk()

    async def silent_since(pod: PodView) -> float | None:
        world.now += 60
        world.desk.ask(pod, KEY)
        await world.settle()
        roster = world.desk.roster(pod)
        assert roster is not None
        return None if roster.reachable else roster.silent_since - 100

    assert await silent_since(scheduler()) is None
    world.problem = "timed out"
    assert [await silent_since(scheduler()) for _ in range(3)] == [120, 120, 120]
    assert await silent_since(scheduler(restarts=1)) == 300
    world.problem = None
    assert await silent_since(scheduler(restarts=1)) is None
    world.problem = "timed out"
    assert await silent_since(scheduler(restarts=1)) == 420


async def test_a_scheduler_that_was_started_again_is_asked_without_the_pause_of_its_life_before() -> None:
    world = Desk()
    world.problem = "connection refused"
    for _ in range(6):
        world.now += 60
        world.desk.ask(scheduler(), KEY)
        await world.settle()
    assert world.desk.ask(scheduler(restarts=1), KEY) is None
    await world.settle()
    assert world.desk.ask(scheduler(restarts=1), KEY) == 1.0


async def test_a_slow_answer_is_as_young_as_its_arrival_and_as_old_as_its_question() -> None:
    world = Desk()
    world.open.clear()
    world.desk.ask(scheduler(), KEY)
    await world.settle()
    world.now += 8
    world.open.set()
    await world.settle()
    roster = world.desk.roster(scheduler())
    assert roster is not None
    assert (roster.taken, roster.arrived) == (100.0, 108.0)


async def test_a_worker_is_in_flight_until_the_scheduler_has_answered() -> None:
    world, pod = Desk(), worker(1)
    world.open.clear()
    world.desk.retire(scheduler(), {pod.uid: ["tcp://a:1", "tcp://a:2"]}, 60, (KEY,))
    await world.settle()
    assert world.desk.in_flight(scheduler(), [pod, worker(2)]) == {pod.uid}
    assert (world.retired, world.desk.attempts([pod])) == (["tcp://a:1", "tcp://a:2"], {})
    world.open.set()
    world.now += 5
    await world.settle()
    assert world.desk.in_flight(scheduler(), [pod]) == frozenset()
    assert world.desk.attempts([pod])[pod.uid].at == 105
    assert world.woken == [KEY]


async def test_a_request_that_failed_is_told_apart_from_one_that_was_answered() -> None:
    world, pod = Desk(), worker(1)
    world.problem = "connection reset"
    world.desk.retire(scheduler(), {pod.uid: ["tcp://a:1"]}, 60, (KEY,))
    await world.settle()
    assert world.desk.attempts([pod])[pod.uid].failure == "connection reset"
    assert world.woken == [KEY]


async def test_what_a_former_scheduler_is_at_work_on_is_free_for_the_next() -> None:
    world, pod = Desk(), worker(1)
    world.open.clear()
    world.desk.retire(scheduler(), {pod.uid: ["tcp://a:1"]}, 60, (KEY,))
    await world.settle()
    assert world.desk.in_flight(scheduler(uid="next"), [pod]) == frozenset()
    await world.desk.close()


async def test_what_was_tried_with_a_worker_that_stays_is_forgotten() -> None:
    world, pod = Desk(), worker(1)
    world.desk.retire(scheduler(), {pod.uid: ["tcp://a:1"]}, 60, (KEY,))
    await world.settle()
    world.desk.forget_attempts([pod])
    assert world.desk.attempts([pod]) == {}
