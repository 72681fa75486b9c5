"""What a Dask scheduler says when it is asked: plain values, as its HTTP API and its page of workers give them."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

_WORKER_NAME = re.compile(r"(?P<pod>(?P<group>.+)-worker-[0-9a-f]{10})(-\d+)?")


@dataclass(frozen=True)
class Row:
    """One worker process, from the scheduler's page of workers."""

    name: str
    threads: int
    busy: int
    """Tasks that run or wait on it."""
    occupancy: float
    """Seconds that these will take, by what the scheduler knows."""
    results: int
    """Finished results in its memory."""
    used: int
    """Bytes of memory that its process uses, as of its last heartbeat."""
    limit: int
    """Bytes of memory that it may use; 0: no limit."""

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return self.busy == 0


@dataclass(frozen=True)
class Counts:
    """From the scheduler's counts, which it makes by walking over all tasks."""

    ready: int
    """Tasks that wait for a worker and for nothing else."""
    unrunnable: int
    """Those of them that no connected worker may run."""
    stored: int
    """Bytes of all results, as the scheduler reckons them."""


@dataclass(frozen=True)
class Answers:
    """All that a scheduler said at one moment. What it was not asked for is None."""

    target: int
    """``adaptive_target``: the workers it wants; with none connected, the threads it wants."""
    names: tuple[str, ...]
    """The names of the connected worker processes."""
    rows: tuple[Row, ...] | None = None
    counts: Counts | None = None

    def adopted(self, group: str) -> "Answers":
        """The same, with the workers whose names tell no group made workers of ``group``, each in a Pod of its own."""
        if not group:
            return self
        names = tuple(_adopted(name, group) for name in self.names)
        rows = self.rows
        if rows is not None:
            rows = tuple(replace(row, name=_adopted(row.name, group)) for row in rows)
        return replace(self, names=names, rows=rows)


def group_of(worker: str) -> str:
    """The group of the worker process with that name; empty for one that the operator did not start.

    A Pod's worker is named as the Pod is; several in one Pod have ``-0``, ``-1`` and so on behind that.
    """
    return _home(worker)[0]


def count_of(group: str, names: Iterable[str]) -> int:
    """How many Pods of ``group`` the connected workers of these names run in."""
    homes = {_home(name) for name in names}
    return sum(1 for home in homes if home[0] == group)


@lru_cache(maxsize=16384)  # the same names come with every look
def _home(worker: str) -> tuple[str, str]:
    """Group and Pod of a worker process."""
    match = _WORKER_NAME.fullmatch(worker)
    return (match["group"], match["pod"]) if match else ("", worker)


def _adopted(name: str, group: str) -> str:
    return name if group_of(name) else f"{group}-worker-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
