"""What a Dask scheduler said about its workers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dask_operator.observed.pods import PodView


@dataclass(frozen=True)
class DaskWorker:
    """One worker process, as its scheduler knows it."""

    address: str
    name: str
    host: str
    busy: int = 0
    """Tasks that run or wait on it."""
    results: int = 0
    """Finished results in its memory."""
    memory: int = 0
    """Bytes that its process uses."""


@dataclass(frozen=True)
class Activity:
    """Whether anybody would miss a scheduler."""

    clients: int
    """Clients that are connected."""
    tasks: int
    """Tasks that run or wait, or are held for somebody."""
    results: int
    """Finished results in the memory of its workers."""

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.clients or self.tasks or self.results)


@dataclass(frozen=True)
class Roster:
    """A scheduler's workers at one moment, or why it could not be asked."""

    life: str
    """Which life of which scheduler answered: another life knows nothing of this one's workers."""
    taken: float
    """When it was asked, in monotonic seconds: what was done to a worker later than that is not in it."""
    arrived: float
    """When the answer came."""
    workers: tuple[DaskWorker, ...] = ()
    with_loads: bool = False
    """Whether it was asked for the workers' loads too; otherwise those are 0."""
    activity: Activity | None = None
    """What it has to do and to keep, if it was asked for that too."""
    problem: str = ""
    """Why the scheduler could not be asked; empty where it answered."""
    silent_since: float = 0.0
    """When (monotonic seconds) the first of the questions was asked that got no answer since the last one that did."""

    @property
    def reachable(self) -> bool:
        """Whether the scheduler answered."""
        return not self.problem


@dataclass(frozen=True)
class Placement:
    """Which worker processes run in which Pod."""

    by_pod: Mapping[str, tuple[DaskWorker, ...]] = field(default_factory=dict)
    """Pod uid → its worker processes."""

    def of(self, pod: PodView) -> tuple[DaskWorker, ...]:
        """The worker processes in ``pod`` that the scheduler knows."""
        return self.by_pod.get(pod.uid, ())

    def addresses(self, pods: Iterable[PodView]) -> dict[str, list[str]]:
        """Pod uid → addresses of the worker processes in it, for each of ``pods``."""
        return {pod.uid: [worker.address for worker in self.of(pod)] for pod in pods}


def placement_of(roster: Roster | None, pods: Iterable[PodView]) -> Placement:
    """Where the workers of a roster run; nowhere known if there is no roster."""
    return place(roster, pods) if roster is not None else Placement()


def place(roster: Roster, pods: Iterable[PodView]) -> Placement:
    """Find each worker's Pod: by name, else by an address that only one Pod has.

    A Pod with several worker processes names them ``<pod>-0``, ``<pod>-1`` and so on. The address alone does not
    do: Pods on the host's network share one.
    """
    pods = list(pods)
    by_name = {pod.name: pod for pod in pods}
    by_ip: dict[str, list[PodView]] = {}
    for pod in pods:
        if pod.ip:
            by_ip.setdefault(pod.ip, []).append(pod)
    found: dict[str, list[DaskWorker]] = {}
    for worker in roster.workers:
        pod_by_name = by_name.get(worker.name) or by_name.get(re.sub(r"-\d+$", "", worker.name))
        same_ip = by_ip.get(worker.host, [])
        home = pod_by_name or (same_ip[0] if len(same_ip) == 1 else None)
        if home is not None:
            found.setdefault(home.uid, []).append(worker)
    return Placement({uid: tuple(workers) for uid, workers in found.items()})
