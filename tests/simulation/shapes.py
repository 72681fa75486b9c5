"""The shapes of work that an autoscaler meets."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.model import Task

MOST = 40
"""Workers there may be."""


@dataclass(frozen=True)
class Shape:
    """Work, in parts that somebody waits for."""

    parts: tuple[tuple[Task, ...], ...]
    load_changes: int
    """How often the load changes: it begins, it ends."""
    known: bool = True
    """Whether the scheduler has seen such tasks before."""

    @property
    def tasks(self) -> Sequence[Task]:
        """All of it."""
        return [task for part in self.parts for task in part]


def burst(chance: random.Random, start: float) -> Shape:
    """400 tasks of about 10 s, all at once."""
    return Shape((_batch(chance, 400, 10.0, 0.0),), 2)


def steady(chance: random.Random, start: float) -> Shape:
    """A task of about 8 s a second, for 15 minutes and the start before."""
    return _stream(start, lambda: chance.uniform(0.8, 1.2), lambda: chance.uniform(6, 10))


def random_arrivals(chance: random.Random, start: float) -> Shape:
    """The same at random times (a Poisson process): the load never stays the same."""
    return _stream(start, lambda: chance.expovariate(1.0), lambda: chance.uniform(6, 10))


def two_waves(chance: random.Random, start: float) -> Shape:
    """Two bursts of 100 s of work for all workers, with 20 s between.

    That is less than the window of 30 s. A pause just longer than the window misses the bars: see the decision page.
    """
    second = start + 100.0 + 20.0
    return Shape((_batch(chance, 400, 10.0, 0.0), _batch(chance, 400, 10.0, second)), 4)


def long_tail(chance: random.Random, start: float) -> Shape:
    """200 tasks of about 10 s and one of 10 minutes."""
    return Shape((_batch(chance, 200, 10.0, 0.0), (Task(0.0, 600.0, "slow"),)), 2)


def tiny(chance: random.Random, start: float) -> Shape:
    """20,000 tasks of about 50 ms."""
    return Shape((_batch(chance, 20_000, 0.05, 0.0),), 2)


def unknown(chance: random.Random, start: float) -> Shape:
    """100 tasks of about 30 s of which the scheduler knows nothing."""
    return Shape((_batch(chance, 100, 30.0, 0.0),), 2, known=False)


SHAPES: dict[str, Callable[[random.Random, float], Shape]] = {
    "burst": burst,
    "steady": steady,
    "random arrivals": random_arrivals,
    "two waves": two_waves,
    "long tail": long_tail,
    "tiny tasks": tiny,
    "unknown": unknown,
}
STARTS = (5.0, 60.0, 300.0)


def _batch(chance: random.Random, count: int, seconds: float, release: float) -> tuple[Task, ...]:
    return tuple(Task(release, seconds * chance.uniform(0.8, 1.2)) for _ in range(count))


def _stream(start: float, gap: Callable[[], float], seconds: Callable[[], float]) -> Shape:
    tasks, now = [], 0.0
    while now < 900.0 + start:
        tasks.append(Task(now, seconds()))
        now += gap()
    early = tuple(task for task in tasks if task.release < start)
    return Shape((early, tuple(task for task in tasks if task.release >= start)), 2)
