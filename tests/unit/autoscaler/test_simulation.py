"""Shapes of work, beside the best that anybody could do with them and beside the rule that people come from.

How the bound is computed, and why nobody can do better, stands in ``tests/simulation/bounds.py``. ``python -m
tests.simulation`` prints the table.
"""

import random
from functools import cache

import pytest

from tests.simulation.bounds import bound
from tests.simulation.model import Task
from tests.simulation.policies import Incumbent, Ours
from tests.simulation.shapes import SHAPES, STARTS
from tests.simulation.trial import Result, mean, reversals, worst

SEEDS = range(3)
SLOWER_AT_MOST = 1.3
DEARER_AT_MOST = 1.5

RANDOM = "random arrivals"
"""One more than was asked for: the load never stays the same, so every step may be the answer to a change."""

EVERY = [(name, start) for name in SHAPES for start in STARTS]


@cache
def ours(name: str, start: float) -> list[Result]:
    """Runs of this autoscaler."""
    return [Result.of(name, start, seed, Ours) for seed in SEEDS]


@cache
def theirs(name: str, start: float) -> list[Result]:
    """The same under the incumbent's rule."""
    return [Result.of(name, start, seed, Incumbent) for seed in SEEDS]


@pytest.mark.parametrize(("name", "start"), EVERY)
def test_no_shape_takes_much_longer_or_costs_much_more_than_if_the_future_were_known(
    name: str, start: float
) -> None:
    results = ours(name, start)
    assert worst(result.slower for result in results) <= SLOWER_AT_MOST
    assert worst(result.dearer for result in results) <= DEARER_AT_MOST


@pytest.mark.parametrize(("name", "start"), [case for case in EVERY if case[0] != RANDOM])
def test_the_incumbents_rule_is_neither_faster_nor_cheaper(name: str, start: float) -> None:
    assert mean(r.makespan for r in ours(name, start)) <= mean(r.makespan for r in theirs(name, start)) + 0.5
    assert mean(r.worker_seconds for r in ours(name, start)) < mean(
        r.worker_seconds for r in theirs(name, start)
    )


@pytest.mark.parametrize("start", STARTS)
def test_at_random_arrivals_a_few_per_cent_of_time_buy_less_cost_and_fewer_turns(start: float) -> None:
    """No worker is started for what the present ones do before it could come, so tasks wait for up to a start.

    The incumbent's rule starts a worker for each task that waits, and pays up to 1.9 times the least for it.
    """
    mine, its = ours(RANDOM, start), theirs(RANDOM, start)
    assert mean(r.makespan for r in mine) <= 1.05 * mean(r.makespan for r in its)
    assert mean(r.worker_seconds for r in mine) < mean(r.worker_seconds for r in its)
    assert worst(r.reversals for r in mine) < min(r.reversals for r in its) / 2


@pytest.mark.parametrize(("name", "start"), [case for case in EVERY if case[0] != RANDOM])
def test_the_number_of_workers_turns_at_most_once_for_each_change_of_load(name: str, start: float) -> None:
    turns = [result.reversals for result in ours(name, start)]
    allowed = ours(name, start)[0].load_changes
    assert worst(turns) <= allowed


@pytest.mark.parametrize(("name", "start"), EVERY)
def test_no_running_task_is_taken_from_its_worker_and_all_is_let_go_in_the_end(
    name: str, start: float
) -> None:
    for result in ours(name, start):
        assert result.reruns == 0
        assert result.over


def test_equal_seeds_give_equal_runs() -> None:
    assert Result.of("unknown", 5.0, 7, Ours) == Result.of("unknown", 5.0, 7, Ours)
    assert Result.of("unknown", 5.0, 7, Ours) != Result.of("unknown", 5.0, 8, Ours)


def test_the_bound_is_what_a_hand_reckons() -> None:
    seven = [Task(0.0, 10.0)] * 7
    least = bound([seven], start_seconds=5.0, most=3)
    assert least.makespan == 5.0 + 30.0  # three rounds on three workers
    assert least.worker_seconds == 70.0 + 3 * 5.0
    tail = bound([seven, [Task(0.0, 100.0)]], start_seconds=5.0, most=3)
    assert tail.makespan == 105.0
    late = bound([seven, [Task(200.0, 10.0)]], start_seconds=5.0, most=3)
    assert late.makespan == 210.0


@pytest.mark.parametrize("seed", range(20))
def test_no_way_to_share_out_tasks_beats_the_bound(seed: int) -> None:
    chance = random.Random(seed)
    tasks = [Task(0.0, chance.uniform(1, 20)) for _ in range(chance.randint(1, 30))]
    most = chance.randint(1, 6)
    busy_until = [5.0] * most
    for task in sorted(tasks, key=lambda task: -task.seconds):
        first = min(range(most), key=lambda worker: busy_until[worker])
        busy_until[first] += task.seconds
    assert bound([tasks], 5.0, most).makespan <= max(busy_until) + 1e-9


def test_turns_are_counted_from_nothing() -> None:
    assert reversals([3, 5, 2, 1, 0]) == 1
    assert reversals([3, 1, 3]) == 2
    assert reversals([]) == 0
