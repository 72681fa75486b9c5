"""The simulated cluster: tasks, workers that take their time to come, and a scheduler's own reckoning.

One thread a worker. Times are seconds from the first submission.
"""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dask_operator_autoscaler.answers import Answers, Counts, Row

GROUP = "sim-default"
RETIRE_SECONDS = 2.5
"""What a worker takes to leave, as seen on a real node."""


@dataclass(frozen=True)
class Task:
    """A piece of work."""

    release: float
    seconds: float
    prefix: str = "work"


@dataclass
class Prefix:
    """What the scheduler knows of how long tasks of a name take (``distributed.scheduler.TaskPrefix``)."""

    average: float = -1.0
    longest_seen: float = -1.0

    def running_for(self, seconds: float) -> None:
        """A heartbeat says how long a task has been running."""
        self.longest_seen = max(self.longest_seen, seconds)
        if seconds > 2 * self.average:
            self.average = -1.0

    def finished_in(self, seconds: float) -> None:
        """A task has finished."""
        self.average = seconds if self.average < 0 else 0.5 * (self.average + seconds)

    @property
    def guess(self) -> float:
        """What the scheduler takes the next one to last (``_get_prefix_duration``)."""
        if self.average >= 0:
            return self.average
        return 2 * self.longest_seen if self.longest_seen > 0 else 0.5


@dataclass
class Worker:
    """A worker from the moment it is asked for."""

    number: int
    asked: float
    connected: bool = False
    task: Task | None = None
    started: float = 0.0
    leaving: bool = False
    gone: float | None = None

    @property
    def name(self) -> str:
        """Its name, as the operator gives it."""
        return f"{GROUP}-worker-{self.number:010x}"


@dataclass
class Cluster:
    """The world. ``scale`` is what an autoscaler may do to it."""

    tasks: Sequence[Task]
    start_seconds: float
    random: random.Random
    known: bool = True
    """Whether the scheduler has seen tasks of these names before."""
    now: float = 0.0
    replicas: int = 0
    finished: int = 0
    last_finish: float = 0.0
    reruns: int = 0
    numbers: list[int] = field(default_factory=list)
    """Each number of workers that was ever asked for."""

    def __post_init__(self) -> None:
        self.workers: list[Worker] = []
        self.present: dict[int, Worker] = {}
        self.queue: deque[Task] = deque()
        self.prefixes: dict[str, Prefix] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        for task in self.tasks:
            prefix = self.prefixes.setdefault(task.prefix, Prefix())
            if self.known and prefix.average < 0:
                prefix.average = task.seconds
            self.at(task.release, lambda task=task: self._submit(task))  # type: ignore[misc]

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._events, (when, next(self._order), what))

    def run(self, horizon: float) -> None:
        """Let time pass until all is done and everybody gone."""
        while self._events and self.now < horizon and not self.over:
            self.now, _, what = heapq.heappop(self._events)
            what()

    @property
    def over(self) -> bool:
        """Whether nothing is left: no task, no worker."""
        return self.finished == len(self.tasks) and not self.present

    @property
    def worker_seconds(self) -> float:
        """What all workers have cost, each from the moment it was asked for until it was gone."""
        return sum((self.now if w.gone is None else w.gone) - w.asked for w in self.workers)

    @property
    def connected(self) -> list[Worker]:
        """The workers that the scheduler knows."""
        return [worker for worker in self.present.values() if worker.connected and not worker.leaving]

    def scale(self, replicas: int) -> None:
        """Ask for that many workers. Who goes is the operator's choice: those on their way, then idle ones."""
        if replicas != self.replicas:
            self.numbers.append(replicas)
        self.replicas = replicas
        staying = [worker for worker in self.present.values() if not worker.leaving]
        for _ in range(replicas - len(staying)):
            self._start()
        staying.sort(key=lambda worker: (worker.connected, worker.task is not None, -worker.number))
        for worker in staying[: max(0, len(staying) - replicas)]:
            self._retire(worker)

    def answers(self, with_rows: bool = True, with_counts: bool = True) -> Answers:
        """What the scheduler says now."""
        self._heartbeat()
        connected = self.connected
        rows = [Row(w.name, 1, int(w.task is not None), self._guess(w.task), 0, 0, 0) for w in connected]
        counts = Counts(len(self.queue), 0, 0)
        names = tuple(worker.name for worker in connected)
        return Answers(
            self.target(), names, tuple(rows) if with_rows else None, counts if with_counts else None
        )

    def target(self) -> int:
        """``Scheduler.adaptive_target``, without what memory adds to it."""
        self._heartbeat()
        connected = self.connected
        waiting = sum(self._guess(task) for task in itertools.islice(self.queue, 100))
        if len(self.queue) > 100:
            waiting *= len(self.queue) / 100
        running = [worker for worker in connected if worker.task is not None]
        wanted = math.ceil((sum(self._guess(w.task) for w in running) + waiting) / 5.0)
        wanted = min(len(self.queue) + len(running), wanted)
        if self.queue and not connected:
            wanted = max(1, wanted)
        return wanted if wanted >= len(connected) else len(running)

    def _guess(self, task: Task | None) -> float:
        return self.prefixes[task.prefix].guess if task is not None else 0.0

    def _heartbeat(self) -> None:
        for worker in self.connected:
            if worker.task is not None:
                self.prefixes[worker.task.prefix].running_for(self.now - worker.started)

    def _submit(self, task: Task) -> None:
        self.queue.append(task)
        self._dispatch()

    def _start(self) -> None:
        worker = Worker(len(self.workers) + 1, self.now)
        self.workers.append(worker)
        self.present[worker.number] = worker
        arrival = self.now + self.start_seconds * self.random.uniform(1.0, 1.1)
        self.at(arrival, lambda: self._connect(worker))

    def _connect(self, worker: Worker) -> None:
        if worker.gone is None:
            worker.connected = True
            self._dispatch()

    def _dispatch(self) -> None:
        if not self.queue:
            return
        for worker in self.connected:
            if worker.task is None and self.queue:
                self._execute(worker, self.queue.popleft())

    def _execute(self, worker: Worker, task: Task) -> None:
        worker.task, worker.started = task, self.now
        self.at(self.now + task.seconds, lambda: self._finish(worker, task))

    def _finish(self, worker: Worker, task: Task) -> None:
        if worker.task is not task or worker.leaving:
            return
        worker.task = None
        self.prefixes[task.prefix].finished_in(task.seconds)
        self.finished += 1
        self.last_finish = self.now
        if self.queue:
            self._execute(worker, self.queue.popleft())

    def _retire(self, worker: Worker) -> None:
        if not worker.connected:
            self._gone(worker)
            return
        worker.leaving = True
        if worker.task is not None:
            self.reruns += 1
            self.queue.appendleft(worker.task)
            self._dispatch()
        self.at(self.now + RETIRE_SECONDS, lambda: self._gone(worker))

    def _gone(self, worker: Worker) -> None:
        worker.gone = self.now
        self.present.pop(worker.number, None)
