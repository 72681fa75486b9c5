"""Finding our processes, by a mark in the environment they were started with.

A process's environment is fixed when it starts, so the mark cannot be mistaken the way a number in a pid file
can after the number was given to another process; and there is no moment in which a process runs that nothing
knows of yet.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster.shell import until

COMPONENT_MARK = "DASK_OPERATOR_LOCALCLUSTER_COMPONENT"
KEY_MARK = "DASK_OPERATOR_LOCALCLUSTER_KEY"

PROC = Path("/proc")


@dataclass(frozen=True)
class Running:
    """A living process of ours.

    `started` is in clock ticks since the machine was: with the pid it names one process for good.
    """

    pid: int
    component: str
    key: str
    started: int


def identify(pid: int, environ: bytes, exe: str, stat: str) -> Running | None:
    """Read a process's mark; None for any other process. Pure.

    A child of a component inherits the mark, so the program must be the component's own: a component is
    called like its binary.
    """
    marks = dict(part.split("=", 1) for part in environ.decode(errors="replace").split("\0") if "=" in part)
    component = marks.get(COMPONENT_MARK, "")
    program = Path(exe.removesuffix(" (deleted)")).name
    if not component or program != component:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Running(pid, component, marks.get(KEY_MARK, ""), int(fields[19]))


def ours() -> Iterator[Running]:
    """Every living component on this machine."""
    for pid in pids():
        found = _look(pid)
        if found is not None:
            yield found


def pids() -> list[int]:
    """All processes there are."""
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]


def _look(pid: int) -> Running | None:
    folder = PROC / str(pid)
    try:
        environ = (folder / "environ").read_bytes()
        if COMPONENT_MARK.encode() not in environ:
            return None
        return identify(pid, environ, os.readlink(folder / "exe"), (folder / "stat").read_text())
    except (OSError, IndexError, ValueError):
        return None  # it ended while we looked


def find(component: str) -> list[Running]:
    """The living processes of one component: none or one, more only after something went wrong."""
    return [process for process in ours() if process.component == component]


def alive(process: Running) -> bool:
    """Whether this very process still runs. One that is ending lives until its files and ports are free."""
    folder = PROC / str(process.pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        threads = len(os.listdir(folder / "task"))
    except OSError:
        return False
    return int(fields[19]) == process.started and not (fields[0] in "ZX" and threads <= 1)


def send(process: Running, number: int) -> None:
    """Send a signal to this very process; nothing when it has ended."""
    if alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def end(processes: Iterable[Running], limit: float = 15) -> None:
    """Ask processes to end, kill those that have not within `limit` seconds, and wait until they are gone."""
    remaining = list(processes)
    for process in remaining:
        send(process, signal.SIGTERM)
        send(process, signal.SIGCONT)  # a stopped process would not notice
    until(lambda: not any(alive(process) for process in remaining), limit, pause=0.05)
    for process in remaining:
        send(process, signal.SIGKILL)
    until(lambda: not any(alive(process) for process in remaining), 10, pause=0.05)


def kill_all(find_pids: Callable[[], set[int]], limit: float = 20) -> set[int]:
    """Kill until nothing is found any more, for at most `limit` seconds; returns what would not die."""
    deadline = time.monotonic() + limit
    while True:
        found = find_pids()
        if not found or time.monotonic() > deadline:
            return found
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)  # between two looks; the condition is that none is found


def command_line(pid: int) -> str:
    """A process's command, for messages; empty when it has ended."""
    try:
        return (
            (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except OSError:
        return ""
