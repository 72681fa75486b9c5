"""For tests that break the local cluster on purpose: stop, pause, kill and start one component.

`localcluster up` heals whatever such a test leaves behind.
"""

import signal as signals

from localcluster import cluster, daemons, processes, settings
from localcluster.shell import LocalClusterError, until

NAMES = cluster.COMPONENTS
"""What the components are called."""


def pid(name: str) -> int | None:
    """Process id of a component; None while it does not run."""
    found = processes.find(_known(name))
    return found[0].pid if found else None


def is_running(name: str) -> bool:
    """Whether a component's process lives; a paused one does."""
    return pid(name) is not None


def is_healthy(name: str) -> bool:
    """Whether a component says that it is well."""
    return is_running(name) and cluster.daemon(name, _settings()).healthy()


def signal(name: str, number: int) -> None:
    """Send a signal to a component. Raises LocalClusterError when it does not run."""
    found = processes.find(_known(name))
    if not found:
        raise LocalClusterError(f"{name} does not run")
    for process in found:
        processes.send(process, number)


def stop(name: str, limit: float = 15) -> None:
    """End a component in good order, by force after `limit` seconds; returns when it is gone."""
    processes.end(processes.find(_known(name)), limit)


def kill(name: str) -> None:
    """End a component at once, without giving it notice; returns when it is gone."""
    signal(name, signals.SIGKILL)
    if not until(lambda: not is_running(name), 10, pause=0.05):
        raise LocalClusterError(f"{name} was killed, but is still there after 10 s")


def pause(name: str) -> None:
    """Freeze a component: it keeps its connections and answers nothing."""
    signal(name, signals.SIGSTOP)


def resume(name: str) -> None:
    """Let a paused component go on."""
    signal(name, signals.SIGCONT)


def start(name: str) -> None:
    """Start a component that does not run, and wait until it is well.

    Raises LocalClusterError when it does not become so within its limit (up to 90 s).
    """
    daemons.ensure([cluster.daemon(_known(name), _settings())])


def _known(name: str) -> str:
    if name not in NAMES:
        raise LocalClusterError(f"there is no component {name!r}; there are: {', '.join(NAMES)}")
    return name


def _settings() -> settings.Settings:
    chosen = settings.load()
    if chosen is None:
        raise LocalClusterError("there is no local cluster on this machine: run `up` first")
    return chosen
