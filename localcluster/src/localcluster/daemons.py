"""Starting a component so that it stays, and making sure that it is the right one and well."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localcluster import paths, processes
from localcluster.ports import holder, is_free
from localcluster.shell import LocalClusterError, say, tail, until

APPEARING_SECONDS = 5.0
"""How long a process that was just started may take until it is found."""

LOG_BYTES = 20_000_000
"""A log longer than this starts afresh with its component."""


class StoreBrokenError(LocalClusterError):
    """A component that keeps the cluster's state does not start from what is there."""


@dataclass(frozen=True)
class Daemon:
    """A component: its command, the files whose content it read when it started, how to tell that it is well.

    `limit` is how many seconds it may take to become well. `ports` are TCP ports that must be free for it.
    `store` is where it keeps the cluster's state: what it may have failed on, if it was there before.
    """

    name: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    inputs: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    limit: float = 60
    store: Path | None = None

    def key(self) -> str:
        """Changes when the command or a file it read does: then a running process is outdated."""
        contents = [path.read_text() if path.exists() else "" for path in self.inputs]
        return hashlib.sha256(json.dumps([self.command, contents]).encode()).hexdigest()[:16]


def ensure(daemons: Sequence[Daemon]) -> list[str]:
    """Have all of these running, up to date and well; returns the names of those that were started.

    Raises LocalClusterError when one fails; StoreBrokenError when it had state of an earlier run to read.
    """
    stored = {daemon.name for daemon in daemons if daemon.store is not None and daemon.store.exists()}
    started = [daemon.name for daemon in daemons if _ensure_running(daemon)]
    for daemon in daemons:
        if _becomes_healthy(daemon):
            continue
        if daemon.name not in started:
            say(f"{daemon.name} runs but is not well: starting it again")
            processes.end(processes.find(daemon.name))
            _start(daemon)
            started.append(daemon.name)
            if _becomes_healthy(daemon):
                continue
        kind = StoreBrokenError if daemon.name in stored else LocalClusterError
        raise kind(_complaint(daemon))
    return started


def _ensure_running(daemon: Daemon) -> bool:
    """Leave one up-to-date process; True when it had to be started."""
    key = daemon.key()
    running = processes.find(daemon.name)
    current = [process for process in running if process.key == key]
    outdated = [process for process in running if process not in current[:1]]
    if outdated:
        if not current:
            say(f"{daemon.name}: what it was started with has changed")
        processes.end(outdated)
    if current:
        processes.send(current[0], signal.SIGCONT)
        return False
    _start(daemon)
    return True


def _start(daemon: Daemon) -> None:
    _refuse_taken_ports(daemon)
    log = paths.log_file(daemon.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.unlink()
    say(f"starting {daemon.name}")
    with log.open("ab") as output:
        output.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(daemon.command)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            daemon.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=paths.STATE,
            env=_environment(daemon),
            start_new_session=True,
        )
    # The kernel lets us go on before the new program's environment, by which it is found, can be read.
    until(lambda: process.poll() is not None or bool(processes.find(daemon.name)), APPEARING_SECONDS, 0.01)


GARBAGE_COLLECTION = {"GOGC": "400", "GOMEMLIMIT": "1536MiB"}
"""Of Go's programs: the fourth part of a small API server's CPU is that otherwise, on a machine that has few cores."""


def _environment(daemon: Daemon) -> dict[str, str]:
    """Little of ours: a component must not depend on the shell it happened to be started from."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("SSL_CERT_") or name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    }
    return {
        **passed,
        **GARBAGE_COLLECTION,
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        processes.COMPONENT_MARK: daemon.name,
        processes.KEY_MARK: daemon.key(),
    }


def _refuse_taken_ports(daemon: Daemon) -> None:
    for port in daemon.ports:
        # A moment, for the predecessor that was killed and is not quite gone.
        if not until(partial(is_free, port), 3):
            taken_by = holder(port) or "a program that has just ended"
            raise LocalClusterError(
                f"{daemon.name} needs port {port}, which is taken by {taken_by}.\n"
                "End that program, or use a cluster of your own: `make cluster CONTEXT=<kube context>`."
            )


def _becomes_healthy(daemon: Daemon) -> bool:
    """Wait for health; ends early when the process does."""

    def settled() -> bool:
        return daemon.healthy() or not processes.find(daemon.name)

    return until(settled, daemon.limit, pause=0.1) and bool(processes.find(daemon.name)) and daemon.healthy()


def _complaint(daemon: Daemon) -> str:
    log = paths.log_file(daemon.name)
    state = "is not well after" if processes.find(daemon.name) else "ended by itself within"
    return (
        f"{daemon.name} {state} {daemon.limit:.0f} s. The end of {log}:\n{tail(log)}\n"
        "`python3 -m localcluster down` and then `up` starts afresh."
    )
