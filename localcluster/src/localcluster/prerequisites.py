"""Whether this machine can carry the cluster, and the one message that says what is missing."""

import os
import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcluster.shell import LocalClusterError, succeeds

ADVICE = "`make cluster CONTEXT=<kube context>` uses a cluster of your own instead."


@dataclass(frozen=True)
class Machine:
    """What matters about a machine."""

    system: str
    root: bool
    apt: bool
    overlayfs: bool
    cgroups: bool
    python: tuple[int, int]


def missing(machine: Machine) -> list[str]:
    """What the machine lacks, in words; empty when it can carry the cluster. Pure."""
    if machine.system != "Linux":
        return [f"Linux (this is {machine.system})"]
    checks = [
        (machine.root, "the rights of root (run it with sudo)"),
        (machine.apt, "apt-get (a Debian or Ubuntu system)"),
        (machine.overlayfs, "the overlay file system in the kernel"),
        (machine.cgroups, "a writable cgroup file system at /sys/fs/cgroup"),
        (
            machine.python >= (3, 11),
            f"Python 3.11 or newer (this is {machine.python[0]}.{machine.python[1]})",
        ),
    ]
    return [what for there, what in checks if not there]


def message(lacks: Iterable[str]) -> str:
    """The message for a machine that lacks these. Pure."""
    return f"This machine cannot carry the local cluster; it lacks {'; '.join(lacks)}.\n{ADVICE}"


def check() -> None:
    """Raises LocalClusterError with the message when the cluster cannot run here."""
    lacks = missing(look())
    if lacks:
        raise LocalClusterError(message(lacks))


def look() -> Machine:
    """This machine. Loads the overlay module where it is not in the kernel yet."""
    system = platform.system()
    linux = system == "Linux"
    return Machine(
        system=system,
        root=linux and os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        overlayfs=linux and _overlayfs(),
        cgroups=linux and os.access("/sys/fs/cgroup", os.W_OK) and any(Path("/sys/fs/cgroup").iterdir()),
        python=(sys.version_info.major, sys.version_info.minor),
    )


def _overlayfs() -> bool:
    known = Path("/proc/filesystems")
    if "overlay" in known.read_text().split():
        return True
    return succeeds(["modprobe", "overlay"]) and "overlay" in known.read_text().split()
