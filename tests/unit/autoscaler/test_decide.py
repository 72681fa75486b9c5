"""The decision: what holds at once, what waits, what limits it, and what it remembers."""

import json
from dataclasses import replace
from typing import Any

import pytest
from dask_operator_api.autoscaling import AutoscalerSpec, Policy, PolicyType, Rules, SelectPolicy
from dask_operator_api.conditions import Reason
from dask_operator_autoscaler.decide import Decision, Demand, Memory, Observed, decide
from dask_operator_autoscaler.decide.memory import SAMPLES_MAX
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = AutoscalerSpec(cluster="c", minimum=0, maximum=10, scale_down=Rules(window=30.0))
NOW = 1_000_000.0


def seen(
    replicas: int, wish: int | None, *, floor: int = 0, connected: int | None = None, **more: Any
) -> Observed:
    """A group of ``replicas``, all connected, that should have ``wish``."""
    demand = None if wish is None else Demand(wish, floor)
    return Observed(replicas, replicas if connected is None else connected, demand, **more)


def after(spec: AutoscalerSpec, steps: list[tuple[float, Observed]]) -> Decision:
    """The last of several decisions, at seconds from now."""
    memory = Memory()
    for at, observed in steps:
        decision = decide(spec, observed, memory, NOW + at)
        memory = decision.memory
    return decision


def test_more_workers_are_asked_for_at_once() -> None:
    decision = after(SPEC, [(0, seen(0, 7))])
    assert decision.replicas == 7
    assert decision.able is Reason.READY_FOR_NEW_SCALE
    assert decision.limited is Reason.DESIRED_WITHIN_RANGE


def test_workers_on_their_way_are_not_asked_for_twice() -> None:
    decision = after(SPEC, [(0, seen(0, 7)), (5, seen(7, 7, connected=0)), (10, seen(7, 7, connected=2))])
    assert decision.replicas == 7


def test_fewer_wait_for_the_whole_window_and_the_end_of_it_is_looked_at_in_time() -> None:
    steps = [(0.0, seen(7, 7)), (5.0, seen(7, 2)), (28.0, seen(7, 2))]
    waiting = after(SPEC, steps)
    assert waiting.replicas == 7
    assert waiting.able is Reason.SCALE_DOWN_STABILIZED
    assert waiting.again == pytest.approx(2.0)
    assert after(SPEC, [*steps, (30.0, seen(7, 2))]).replicas == 2


def test_the_greatest_wish_of_the_window_is_what_a_group_falls_to() -> None:
    steps = [(0.0, seen(7, 7)), (5.0, seen(7, 1)), (20.0, seen(7, 4)), (31.0, seen(7, 1))]
    assert after(SPEC, steps).replicas == 4


def test_a_single_greater_wish_starts_the_window_anew() -> None:
    steps = [
        (0.0, seen(7, 7)),
        (29.0, seen(7, 1)),
        (29.5, seen(7, 7)),
        (35.0, seen(7, 1)),
        (59.0, seen(7, 1)),
    ]
    assert after(SPEC, steps).replicas == 7


def test_the_window_goes_on_over_a_restart() -> None:
    memory = decide(SPEC, seen(7, 7), Memory(), NOW).memory
    memory = decide(SPEC, seen(7, 2), memory, NOW + 5).memory
    kept = Memory.parse(json.loads(json.dumps(memory.as_status())))
    assert decide(SPEC, seen(7, 2), kept, NOW + 29).replicas == 7
    assert decide(SPEC, seen(7, 2), kept, NOW + 31).replicas == 2


def test_a_wish_after_a_silence_has_to_stand_for_a_whole_window() -> None:
    steps = [(0.0, seen(7, 7)), (5.0, seen(7, None)), (500.0, seen(7, 0)), (529.0, seen(7, 0))]
    assert after(SPEC, steps).replicas == 7
    assert after(SPEC, [*steps, (531.0, seen(7, 0))]).replicas == 0


def test_what_has_to_stay_stays_whatever_the_window_says() -> None:
    steps = [(0.0, seen(7, 1, floor=5)), (40.0, seen(7, 1, floor=5))]
    decision = after(SPEC, steps)
    assert decision.replicas == 5
    assert decision.limited is Reason.WORKERS_IN_USE


def test_nobody_goes_while_a_shuffle_runs() -> None:
    running = Observed(7, 7, Demand(1, 7, Reason.SHUFFLE_RUNNING))
    decision = after(SPEC, [(0.0, running), (40.0, running)])
    assert decision.replicas == 7
    assert decision.limited is Reason.SHUFFLE_RUNNING


@pytest.mark.parametrize("why", [Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED])
def test_a_group_that_cannot_be_placed_is_not_pushed_further(why: Reason) -> None:
    decision = after(SPEC, [(0, seen(3, 9, connected=1, unplaceable=why))])
    assert decision.replicas == 3
    assert decision.limited is why


def test_a_group_that_cannot_be_placed_may_still_shrink() -> None:
    step = seen(6, 2, connected=1, unplaceable=Reason.UNSCHEDULABLE)
    assert after(SPEC, [(0, step), (31, step)]).replicas == 2


def test_while_the_scheduler_does_not_answer_nothing_changes() -> None:
    decision = after(SPEC, [(0, seen(7, 1)), (100, seen(7, None))])
    assert decision.replicas == 7
    assert decision.wish is None


@pytest.mark.parametrize("wish", [None, 5])
def test_bounds_that_are_edited_hold_at_once(wish: int | None) -> None:
    low = replace(SPEC, maximum=3)
    high = replace(SPEC, minimum=8)
    assert decide(low, seen(5, wish), Memory(), NOW).replicas == 3
    assert decide(high, seen(5, wish), Memory(), NOW).replicas == 8


def test_bounds_hold_even_where_workers_are_in_use() -> None:
    decision = decide(replace(SPEC, maximum=3), seen(7, 7, floor=7), Memory(), NOW)
    assert decision.replicas == 3
    assert decision.limited is Reason.TOO_MANY_REPLICAS


def test_a_wish_beyond_the_bounds_is_told() -> None:
    assert decide(SPEC, seen(10, 50), Memory(), NOW).limited is Reason.TOO_MANY_REPLICAS
    low = replace(SPEC, minimum=2)
    assert decide(low, seen(2, 0), Memory(), NOW).limited is Reason.TOO_FEW_REPLICAS


def test_a_cluster_without_workers_is_looked_at_every_second() -> None:
    assert decide(SPEC, seen(0, 0), Memory(), NOW).again == 1.0
    assert decide(SPEC, seen(4, 4), Memory(), NOW).again == SPEC.interval


def test_a_window_for_growing_is_kept_too() -> None:
    spec = replace(SPEC, scale_up=Rules(window=20.0))
    steps = [(0.0, seen(2, 2)), (5.0, seen(2, 8))]
    held = after(spec, steps)
    assert held.replicas == 2
    assert held.able is Reason.SCALE_UP_STABILIZED
    assert after(spec, [*steps, (21.0, seen(2, 8))]).replicas == 8


@pytest.mark.parametrize("down", [Rules(), Rules(window=0.0)])
def test_a_window_for_growing_may_be_longer_than_any_for_shrinking(down: Rules) -> None:
    spec = replace(SPEC, scale_up=Rules(window=600.0), scale_down=down)
    steps = [(0.0, seen(2, 2)), *((at, seen(2, 8)) for at in range(5, 600, 5))]
    assert after(spec, steps).replicas == 2
    assert after(spec, [*steps, (600.0, seen(2, 8))]).replicas == 8


def pods(value: int, period: float = 60.0) -> Policy:
    """At most ``value`` Pods a period."""
    return Policy(PolicyType.PODS, value, period)


def percent(value: int, period: float = 60.0) -> Policy:
    """At most ``value`` per cent a period."""
    return Policy(PolicyType.PERCENT, value, period)


@pytest.mark.parametrize(
    ("rules", "replicas", "allowed"),
    [
        (Rules(policies=(pods(2),)), 4, 6),
        (Rules(policies=(percent(50),)), 4, 6),
        (Rules(policies=(percent(50),)), 0, 1),
        (Rules(policies=(pods(1), percent(100))), 4, 8),
        (Rules(policies=(pods(1), percent(100)), select=SelectPolicy.MIN), 4, 5),
        (Rules(select=SelectPolicy.DISABLED), 4, 4),
    ],
)
def test_policies_limit_growth_as_the_horizontal_pod_autoscaler_has_them(
    rules: Rules, replicas: int, allowed: int
) -> None:
    decision = decide(replace(SPEC, scale_up=rules), seen(replicas, 10), Memory(), NOW)
    assert decision.replicas == allowed
    assert decision.limited is Reason.SCALE_UP_LIMIT


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (Rules(0.0, (pods(3),)), 5),
        (Rules(0.0, (percent(25),)), 6),
        (Rules(0.0, (pods(3), percent(25))), 5),
        (Rules(0.0, (pods(3), percent(25)), SelectPolicy.MIN), 6),
        (Rules(0.0, (), SelectPolicy.DISABLED), 8),
    ],
)
def test_policies_limit_shrinking_the_same_way(rules: Rules, left: int) -> None:
    decision = decide(replace(SPEC, scale_down=rules), seen(8, 0), Memory(), NOW)
    assert decision.replicas == left
    assert decision.limited is Reason.SCALE_DOWN_LIMIT


def test_a_policy_counts_what_changed_within_its_period() -> None:
    spec = replace(SPEC, scale_up=Rules(policies=(pods(2, 60.0),)))
    first = decide(spec, seen(2, 10), Memory(), NOW)
    assert first.replicas == 4
    second = decide(spec, seen(4, 10), first.memory, NOW + 30)
    assert second.replicas == 4
    assert decide(spec, seen(4, 10), second.memory, NOW + 61).replicas == 6


def test_a_group_with_work_keeps_some_to_spare_and_one_without_does_not() -> None:
    usual = replace(SPEC, maximum=40)

    def falls_to(wish: int, spec: AutoscalerSpec = usual) -> Decision:
        return after(spec, [(0.0, seen(20, 20)), (5.0, seen(20, wish)), (36.0, seen(20, wish))])

    assert [falls_to(wish).replicas for wish in (18, 17, 8, 1, 0)] == [20, 19, 9, 1, 0]
    kept = falls_to(18)
    assert kept.able is Reason.READY_FOR_NEW_SCALE
    assert kept.again == SPEC.interval
    exact = replace(usual, scale_down=Rules(30.0, tolerance=0.0))
    assert falls_to(18, exact).replicas == 18


def test_a_small_difference_is_tolerated_but_never_one_from_or_to_nothing() -> None:
    spec = replace(SPEC, scale_up=Rules(tolerance=0.2), scale_down=Rules(0.0, tolerance=0.2))
    assert decide(spec, seen(5, 6), Memory(), NOW).replicas == 5
    assert decide(spec, seen(5, 7), Memory(), NOW).replicas == 7
    assert decide(spec, seen(5, 4), Memory(), NOW).replicas == 5
    assert decide(spec, seen(0, 1), Memory(), NOW).replicas == 1
    assert decide(spec, seen(1, 0), Memory(), NOW).replicas == 0


def test_where_the_user_is_silent_idle_workers_stay_as_long_as_a_start_takes() -> None:
    spec = replace(SPEC, scale_down=Rules())
    woken = decide(spec, seen(0, 4), Memory(), NOW)
    memory = decide(spec, seen(4, 4), woken.memory, NOW + 18).memory
    assert memory.start_seconds == 18
    memory = decide(spec, seen(4, 0), memory, NOW + 19).memory
    assert decide(spec, seen(4, 0), memory, NOW + 35).replicas == 4
    assert decide(spec, seen(4, 0), memory, NOW + 36.5).replicas == 0


def test_workers_that_were_missed_soon_after_they_went_are_kept_twice_as_long_the_next_time() -> None:
    spec = replace(SPEC, scale_down=Rules())
    steps = [(0.0, seen(4, 4)), (1.0, seen(4, 0)), (11.0, seen(4, 0)), (20.0, seen(0, 4))]
    again = [(21.0, seen(4, 4)), (22.0, seen(4, 0)), (40.0, seen(4, 0))]
    assert after(spec, [*steps, *again]).replicas == 4
    assert after(spec, [*steps, *again, (42.0, seen(4, 0))]).replicas == 0


def test_a_start_is_measured_from_the_ask_that_the_first_to_come_belongs_to() -> None:
    steps = [(0.0, seen(2, 4)), (10.0, seen(4, 6, connected=2)), (30.0, seen(6, 6, connected=3))]
    assert after(SPEC, steps).memory.start_seconds == 30


def test_a_start_is_taken_to_be_no_longer_than_any_start_is() -> None:
    outage_or_a_clock_that_was_set = [(0.0, seen(0, 4)), (86_400.0, seen(4, 4))]
    assert after(SPEC, outage_or_a_clock_that_was_set).memory.start_seconds == 900
    assert Memory.parse({"startSeconds": 86_400}).start_seconds == 900
    assert Memory.parse({"startSeconds": -5}).start_seconds == 0
    assert Memory.parse({"startSeconds": None}).start_seconds is None


def test_the_time_in_which_workers_cannot_be_placed_is_not_what_a_start_takes() -> None:
    waiting = seen(4, 4, connected=0, unplaceable=Reason.UNSCHEDULABLE)
    steps = [(0.0, seen(0, 4)), *((at, waiting) for at in (5.0, 300.0, 600.0))]
    placed = [(610.0, seen(4, 4, connected=0)), (625.0, seen(4, 4, connected=1))]
    assert after(SPEC, [*steps, *placed]).memory.start_seconds == 25


def test_waiting_for_room_alone_is_nothing_new_to_write_down() -> None:
    waiting = seen(4, 4, connected=0, unplaceable=Reason.UNSCHEDULABLE)
    before = after(SPEC, [(0.0, seen(0, 4)), (5.0, waiting)]).memory
    later = decide(SPEC, waiting, before, NOW + 60).memory
    assert later != before
    assert not later.says_more_than(before)


def test_workers_on_their_way_are_ahead_of_new_ones_by_no_more_than_a_start() -> None:
    asked = decide(SPEC, seen(0, 3), Memory(), NOW).memory
    known = replace(asked, start_seconds=60.0)
    unseen = replace(asked, start_seconds=0.0)
    assert unseen.head_start(NOW + 1200, 3) == 90
    assert [asked.head_start(NOW + at, 3) for at in (-100, 0, 20, 1200)] == [0, 0, 60, 90]
    assert [known.head_start(NOW + at, 3) for at in (20, 60, 1200)] == [60, 180, 180]


def test_once_the_first_has_come_the_others_are_ahead_by_as_much_as_it_took() -> None:
    asked = decide(SPEC, seen(0, 3), Memory(), NOW).memory
    assert asked.head_start(NOW + 300, 2) == 600


def test_memory_that_cannot_be_read_is_no_memory() -> None:
    assert Memory.parse({"highs": [["x"]]}) == Memory()
    assert Memory.parse({"highs": 3}) == Memory()
    assert Memory.parse({}) == Memory()


def test_memory_stays_small_and_errs_on_the_careful_side() -> None:
    memory = Memory()
    for second in range(200):
        memory = memory.wishing(NOW + second, 1000 - second, 3600.0)
    assert len(memory.highs) <= SAMPLES_MAX + 1
    assert memory.highest(NOW + 200, 3600.0) == 1000


WISHES = st.lists(
    st.tuples(st.floats(0.5, 20.0), st.integers(0, 20) | st.none(), st.integers(0, 12), st.integers(0, 12)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(WISHES, st.integers(0, 4), st.integers(5, 10))
def test_whatever_is_wished_bounds_and_floor_hold_and_nobody_goes_early(
    steps: list[tuple[float, int | None, int, int]], minimum: int, maximum: int
) -> None:
    spec = replace(SPEC, minimum=minimum, maximum=maximum)
    memory, now, replicas = Memory(), NOW, minimum
    wishes: list[tuple[float, int]] = []
    for pause, wish, floor, connected in steps:
        now += pause
        observed = seen(replicas, wish, floor=min(floor, replicas), connected=min(connected, replicas))
        if wish is not None:
            wishes.append((now, max(minimum, min(maximum, wish))))
        decision = decide(spec, observed, memory, now)
        assert minimum <= decision.replicas <= maximum
        if decision.replicas < replicas:
            assert decision.replicas >= floor or floor > replicas
            assert decision.replicas >= max(value for at, value in wishes if now - at < 30.0)
        if decision.replicas > replicas:
            assert wish is not None
            assert decision.replicas <= max(wish, minimum)
        memory, replicas = (
            Memory.parse(json.loads(json.dumps(decision.memory.as_status()))),
            decision.replicas,
        )
