"""Whatever happens to a group, it ends with what was asked for, and no worker goes that could have been saved."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from dask_operator.errors import Refused
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.simulation import LIMIT_SECONDS, World
from tests.unit.operator.worlds import scheduler_body

Action = tuple[str, int]

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("scale"), st.integers(0, 5)),
        st.tuples(st.just("tick"), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.integers(0, 4)),
        st.tuples(st.just("kill"), st.integers(0, 4)),
        st.tuples(st.just("crash"), st.integers(0, 6)),
        st.tuples(st.just("timeout"), st.integers(0, 1)),
        st.tuples(st.just("silent"), st.integers(0, 1)),
        st.tuples(st.just("full"), st.integers(0, 1)),
        st.tuples(st.just("new scheduler"), st.just(0)),
        st.tuples(st.just("edit"), st.integers(0, 2)),
        st.tuples(st.just("broken"), st.integers(0, 1)),
    ),
    max_size=14,
)


async def _act(world: World, action: Action) -> None:
    what, number = action
    acts: dict[str, Callable[[], object]] = {
        "scale": lambda: world.scale(number),
        "lose": lambda: world.lose(number),
        "kill": lambda: world.kill(number),
        "crash": lambda: setattr(world.kube, "crash_after", number),
        "timeout": lambda: world.kube.timeouts.append(bool(number)),
        "silent": lambda: world.silence(bool(number)),
        "full": lambda: setattr(world.scheduler, "full", bool(number)),
        "new scheduler": world.new_scheduler,
        "edit": lambda: world.edit(number),
        "broken": lambda: setattr(world, "broken", bool(number)),
        "tick": lambda: None,
    }
    acts[what]()
    await world.settle()
    for _ in range(number if what == "tick" else 1):
        world.tick()
        await world.settle()


async def _heal(world: World) -> None:
    """All is well from now on: go on until nobody waits for anything."""
    world.silence(False)
    world.scheduler.full = False
    world.broken = False
    world.kube.timeouts.clear()
    world.kube.crash_after = None
    for _ in range(80):
        before = world.kube.version
        world.tick()
        await world.settle()
        if world.kube.version == before:
            if world.due is None:
                return
            world.tick(max(0.0, world.due - world.clock()))
            await world.settle()
    raise AssertionError(f"after 80 steps the group still changes: {world.alive()}")


async def _live(replicas: int, actions: list[Action]) -> World:
    world = World(replicas)
    world.start_operator()
    await world.settle()
    for action in actions:
        await _act(world, action)
    await _heal(world)
    return world


def run(world: Awaitable[World]) -> World:
    async def awaited() -> World:
        return await world

    return asyncio.run(awaited())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 4), ACTIONS)
def test_a_group_ends_with_the_workers_that_were_asked_for(replicas: int, actions: list[Action]) -> None:
    world = run(_live(replicas, actions))
    assert len(world.alive()) == world.wanted
    assert world.on_their_way_out() == {}
    assert world.outdated() == []


def test_an_edited_template_reaches_every_worker() -> None:
    world = run(_live(3, [("tick", 3), ("edit", 1)]))
    assert (len(world.alive()), world.outdated()) == (3, [])


def test_a_template_that_does_not_start_takes_no_worker_away() -> None:
    async def live() -> World:
        world = await _live(3, [("tick", 3)])
        for action in [("broken", 1), ("edit", 1), ("tick", 20)]:
            await _act(world, action)
        return world

    world = run(live())
    assert len(world.outdated()) == 3
    assert len(world.scheduler.known) == 3


def test_a_rollout_ends_no_worker_by_force() -> None:
    async def live() -> World:
        world = await _live(2, [("tick", 3)])
        for action in [("full", 1), ("edit", 1), ("tick", 4)]:
            await _act(world, action)
        for _ in range(2 * LIMIT_SECONDS // 10):
            world.tick(10)
            await world.settle()
        return world

    world = run(live())
    assert len(world.outdated()) == 2
    assert any("ends none of them by force" in message for message in world.seen_blocked)


def test_a_refused_pod_is_not_asked_for_again_and_again() -> None:
    async def live() -> int:
        world = World(3)
        world.kube.refusal = Refused("exceeded quota: pods", 403)
        world.start_operator()
        return await world.settle()

    assert asyncio.run(live()) < 10


def test_workers_held_by_a_silent_scheduler_go_when_the_users_limit_is_over() -> None:
    async def live() -> World:
        world = await _live(2, [])
        world.silence(True)
        world.scale(1)
        world.scheduler.known.clear()  # so that a removal is no loss that the world objects to
        for _ in range(140):
            await world.settle()
            world.seconds += 5  # no kubelet: workers stay out of the scheduler's reach
        return world

    world = run(live())
    assert len(world.alive()) == 1


@pytest.mark.parametrize("silent", [True, False])
def test_a_blocked_drain_stays_blocked_without_a_break(silent: bool) -> None:
    async def live() -> set[str]:
        world = await _live(2, [])
        world.silence(silent)
        world.scheduler.full = True
        world.scale(1)
        for _ in range(4):
            await world.settle()
            world.tick()
        seen = set()
        for _ in range(30):
            events = len(world.kube.events)
            world.seconds += 3
            await world.settle()
            assert events == 0
            body = world.kube.objects[("DaskWorkerGroup", "c-default")]
            seen |= {
                c["lastTransitionTime"] for c in body["status"]["conditions"] if c["type"] == "DrainBlocked"
            }
        return seen

    assert len(asyncio.run(live())) == 1


def test_the_number_of_a_create_that_took_effect_unnoticed_is_not_given_again() -> None:
    world = run(_live(2, [("timeout", 1), ("scale", 3), ("tick", 3), ("lose", 2), ("tick", 3), ("lose", 0)]))
    assert len(world.alive()) == 3


def test_a_worker_that_connected_a_moment_ago_is_retired_like_any_other() -> None:
    run(_live(2, [("tick", 3), ("scale", 4), ("scale", 3), ("scale", 2)]))


def test_a_refusal_of_long_ago_is_forgotten_when_the_worker_was_allowed_to_stay() -> None:
    async def live() -> World:
        world = await _live(
            2, [("full", 1), ("scale", 1), ("tick", 3), ("scale", 2), ("full", 1), ("tick", 3)]
        )
        assert len(world.alive()) == 2
        world.scale(1)
        world.seen_blocked.clear()
        await world.settle()
        return world

    assert asyncio.run(live()).seen_blocked == set()


def test_a_scheduler_on_its_way_out_is_not_asked_again_and_again() -> None:
    async def live() -> int:
        world = await _live(2, [])
        world.kube.put("Pod", scheduler_body(uid="scheduler-1", deleting=True))
        world.scheduler.known.clear()  # its workers' results go with it
        world.scale(1)
        return await world.settle()

    assert asyncio.run(live()) < 10
