"""One run of one shape under one policy, and what came of it."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from dask_operator_api.autoscaling import AutoscalerSpec

from tests.simulation.bounds import bound
from tests.simulation.model import Cluster
from tests.simulation.policies import Policy, run
from tests.simulation.shapes import MOST, SHAPES

HORIZON = 20_000.0
SPEC = AutoscalerSpec(cluster="sim", minimum=0, maximum=MOST)


@dataclass(frozen=True)
class Result:
    """What came of a run, and how it stands beside the bound."""

    makespan: float
    worker_seconds: float
    reversals: int
    reruns: int
    """Tasks that were running when their worker was let go."""
    over: bool
    """Whether all work was done in the end, and every worker gone."""
    slower: float
    """Makespan, as a multiple of the bound."""
    dearer: float
    """Worker-seconds, as a multiple of the bound."""
    load_changes: int

    @classmethod
    def of(
        cls, shape_name: str, start: float, seed: int, make: Callable[[AutoscalerSpec], Policy]
    ) -> "Result":
        """Run a shape of work with workers that take ``start`` seconds to come; equal seeds give equal runs."""
        shape = SHAPES[shape_name](random.Random(f"{shape_name} {seed}"), start)
        cluster = Cluster(shape.tasks, start, random.Random(f"starts {seed}"), shape.known)
        run(cluster, make(SPEC), random.Random(f"polls {seed}"), HORIZON)
        least = bound(shape.parts, start, MOST)
        return cls(
            makespan=cluster.last_finish,
            worker_seconds=cluster.worker_seconds,
            reversals=reversals(cluster.numbers),
            reruns=cluster.reruns,
            over=cluster.over,
            slower=cluster.last_finish / least.makespan,
            dearer=cluster.worker_seconds / least.worker_seconds,
            load_changes=shape.load_changes,
        )


def reversals(numbers: list[int]) -> int:
    """How often the number of workers, from 0 on, changed its direction."""
    steps = [after > before for before, after in pairwise([0, *numbers])]
    return sum(1 for before, after in pairwise(steps) if before != after)


def mean(values: Iterable[float]) -> float:
    """Their mean."""
    numbers = list(values)
    return sum(numbers) / len(numbers)


def worst(values: Iterable[float]) -> float:
    """The greatest of them."""
    return max(values)
