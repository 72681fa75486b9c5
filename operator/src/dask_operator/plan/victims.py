"""Which workers of a group go first when it shrinks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from dask_operator.observed import DaskWorker, PodView
from dask_operator.observed.roster import Placement


class Cost(IntEnum):
    """How much is lost with a worker, cheapest first."""

    UNSCHEDULED = 0
    PENDING = 1
    UNKNOWN = 2
    """It runs, and the scheduler does not know it."""
    IDLE = 3
    LOADED = 4


@dataclass(frozen=True)
class Ranked:
    """A worker Pod and what its end would cost."""

    pod: PodView
    cost: Cost
    outdated: bool = False
    """Whether it has to go sooner or later anyway."""
    busy: int = 0
    stored: int = 0
    """Bytes that its processes use, if they hold results."""

    @property
    def order(self) -> tuple[int, bool, int, int, float, int]:
        """Sorts the cheapest first, those of an older template before others; of equals the youngest."""
        return (self.cost, not self.outdated, self.busy, self.stored, -self.pod.created, -self.pod.index)


def needs_scheduler(pod: PodView) -> bool:
    """Whether ``pod`` may hold results, so that the scheduler must be asked before it goes."""
    return pod.running


def rank(
    pods: Sequence[PodView],
    placement: Placement,
    is_outdated: Callable[[PodView], bool] = lambda pod: False,
) -> list[Ranked]:
    """All ``pods``, those that should go first in front.

    Unscheduled before pending before running but unknown to the scheduler before idle; then those of an older
    template; then by tasks, then by memory used.
    """
    ranked = (_ranked(pod, placement.of(pod), is_outdated(pod)) for pod in pods)
    return sorted(ranked, key=lambda one: one.order)


def _ranked(pod: PodView, workers: tuple[DaskWorker, ...], outdated: bool) -> Ranked:
    if not pod.node:
        return Ranked(pod, Cost.UNSCHEDULED, outdated)
    if not pod.running:
        return Ranked(pod, Cost.PENDING, outdated)
    if not workers:
        return Ranked(pod, Cost.UNKNOWN, outdated)
    busy = sum(worker.busy for worker in workers)
    stored = sum(worker.memory for worker in workers if worker.results)
    return Ranked(pod, Cost.LOADED if busy or stored else Cost.IDLE, outdated, busy, stored)
