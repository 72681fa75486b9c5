"""A process, the operator's above all, seen from the machine that runs it: CPU seconds and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import BenchError

COMMAND = b"/opt/dask-operator/bin/dask-operator"
TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Usage:
    """At one moment."""

    cpu_seconds: float
    """Since the process began."""
    memory: int
    """Bytes that are resident."""

    @property
    def mib(self) -> float:
        """Memory in MiB."""
        return self.memory / MIB


def operator() -> Usage:
    """The usage of the one operator on this machine.

    Raises:
        BenchError: there is none, or more than one: not the local cluster, or replicas.
    """
    return only(COMMAND)


def only(command: bytes) -> Usage:
    """The usage of the one process of this machine whose command line has these words.

    Raises:
        BenchError: there is none, or more than one.
    """
    found = running(command)
    if len(found) != 1:
        raise BenchError(f"one process of {command.decode()} is needed on this machine, not {len(found)}")
    return of(int(found[0].name))


def of(pid: int) -> Usage:
    """The usage of a process of this machine."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    user, system = int(fields[11]), int(fields[12])
    return Usage((user + system) / TICKS, int(status["VmRSS"].split()[0]) * KIB)


def running(command: bytes = COMMAND) -> list[Path]:
    """The folders in ``/proc`` of all processes with these words in their command line: by default operators."""
    return [folder for folder in Path("/proc").glob("[0-9]*") if command in _command(folder)]


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""
