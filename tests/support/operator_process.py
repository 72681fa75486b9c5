"""The operator as a process of this machine: it can be killed at any moment, and is back at once.

It has exactly the rights that the chart gives: its token is that of the chart's service account. Meanwhile the
chart's own Deployment is scaled to nothing.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .kubectl import Tree, eventually, get, kubectl, list_objects
from .namespaces import WATCHED

NAMESPACE = "dask-operator"
DEPLOYMENT = "dask-operator"
OWN = "app.kubernetes.io/component=operator"
"""Selects the operator's Pods among all of the release."""


class OperatorProcess:
    """One operator process at a time: a container of a Pod called ``name``, that may be started again."""

    def __init__(self, kubeconfig: Path, log: Path, name: str, settings: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        """What it printed, in all its lives."""
        self._kubeconfig = kubeconfig
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it; returns at once."""
        self._port = _free_port()
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._kubeconfig),
            "DASK_OPERATOR_HTTP_PORT": str(self._port),
            "DASK_OPERATOR_DEFAULT_IMAGE": "localhost/dask:dev",
            "DASK_OPERATOR_RELEASE": DEPLOYMENT,
            "DASK_OPERATOR_WATCH_NAMESPACES": ",".join(WATCHED),
            "POD_NAMESPACE": NAMESPACE,
            "POD_NAME": self.name,
            "POD_UID": f"uid-of-{self.name}",
            **self._settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dask_operator"], env=environment, stderr=log, stdout=log
            )

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait_ended(10)

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait_ended(self, seconds: float) -> int:
        """Wait until it has ended; gives its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def is_leading(self) -> bool:
        """Whether the Lease is its own."""
        return (lease_holder() or "").startswith(f"{self.name}_")

    def is_ready(self) -> bool:
        """Whether all that it looks after can be listed."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it by SIGTERM, if it was started."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(20)


def operator_pods() -> list[Tree]:
    """The Pods of the operator's Deployment."""
    return list_objects(NAMESPACE, "pods", OWN)


def lease_holder() -> str | None:
    """Who holds the operator's Lease."""
    lease = get(NAMESPACE, "lease", DEPLOYMENT)
    holder: str | None = (lease or {}).get("spec", {}).get("holderIdentity")
    return holder


def leading_pod() -> Tree | None:
    """The Pod of the Deployment that leads."""
    holder = (lease_holder() or "").partition("_")[0]
    return next((pod for pod in operator_pods() if pod["metadata"]["name"] == holder), None)


def wait_rolled_out() -> None:
    """Wait until the Deployment is as it was told to be, and a Pod leads that stays.

    Kubernetes does not count a Pod that it has told to end, which may lead for a while yet.
    """
    kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", "-n", NAMESPACE, "--timeout=90s")

    def led() -> bool:
        pod = leading_pod()
        return pod is not None and "deletionTimestamp" not in pod["metadata"]

    eventually("an operator to lead", led, 25)


@contextmanager
def operator_process(
    folder: Path, server: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[OperatorProcess]:
    """The operator as a process instead of the chart's Deployment, which comes back at the end.

    Args:
        folder: where its kubeconfig and its log go.
        server: URL that it shall take for the API server's.
        settings: further environment variables.
    """
    with _processes(folder, ("operator",), server, settings or {}) as (process,):
        yield process


@contextmanager
def no_operator() -> Iterator[None]:
    """Nobody looks after Dask clusters; the chart's Deployment comes back at the end."""
    kubectl("scale", "deployment", DEPLOYMENT, "-n", NAMESPACE, "--replicas=0")
    try:
        eventually("the Deployment's Pod to be gone", lambda: not operator_pods())
        yield
    finally:
        kubectl("scale", "deployment", DEPLOYMENT, "-n", NAMESPACE, "--replicas=1")
        wait_rolled_out()


@contextmanager
def operator_processes(folder: Path, *names: str) -> Iterator[list[OperatorProcess]]:
    """Several operators as processes instead of the chart's Deployment; the first one leads."""
    with _processes(folder, names, "", {}) as processes:
        yield processes


@contextmanager
def _processes(
    folder: Path, names: Sequence[str], server: str, settings: Mapping[str, str]
) -> Iterator[list[OperatorProcess]]:
    kubeconfig = _kubeconfig(folder, server)
    processes = [OperatorProcess(kubeconfig, folder / f"{name}.log", name, settings) for name in names]
    with no_operator():
        try:
            for process in processes:
                process.start()
                eventually(f"{process.name} to be ready", process.is_ready)
            eventually(f"{names[0]} to lead", processes[0].is_leading)
            yield processes
        finally:
            for process in processes:
                process.stop()


def _kubeconfig(folder: Path, server: str) -> Path:
    """A kubeconfig like the tests' own, with the service account's token instead of an admin's certificate."""
    held = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    token = kubectl("create", "token", DEPLOYMENT, "-n", NAMESPACE, "--duration=2h").strip()
    held["users"] = [{"name": held["users"][0]["name"], "user": {"token": token}}]
    if server:
        held["clusters"] = [{"name": held["clusters"][0]["name"], "cluster": {"server": server}}]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(held))
    path.chmod(0o600)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
