"""Who listens on a TCP port, read from /proc."""

import os
from pathlib import Path

from localcluster.processes import PROC, command_line, pids

_LISTEN = "0A"


def listening_inodes(table: str, port: int) -> set[str]:
    """Socket inodes that listen on a port, from the text of /proc/net/tcp or tcp6. Pure."""
    inodes = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
            inodes.add(fields[9])
    return inodes


def is_free(port: int) -> bool:
    """Whether nobody listens on the port."""
    return not _inodes(port)


def _inodes(port: int) -> set[str]:
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    return {inode for table in tables for inode in listening_inodes(table.read_text(), port)}


def holder(port: int) -> str:
    """Who listens on the port, as `name (pid 1: command)`; empty when nobody does."""
    inodes = _inodes(port)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in pids():
        if wanted & _open_files(pid):
            name = (PROC / str(pid) / "comm").read_text().strip()
            return f"{name} (pid {pid}: {command_line(pid)[:120]})"
    return "a process that cannot be seen from here"


def _open_files(pid: int) -> set[str]:
    found = set()
    folder = PROC / str(pid) / "fd"
    try:
        for name in os.listdir(folder):
            found.add(os.readlink(folder / name))
    except OSError:
        pass  # it ended meanwhile, or is not ours to look into
    return found
