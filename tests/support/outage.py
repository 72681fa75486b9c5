"""Ways to take the API server away from the operator, each undone at the end."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from localcluster.shell import LocalClusterError

from localcluster import components

from .kubectl import KubectlError, eventually, kubectl

Outage = Callable[[float], AbstractContextManager[None]]
"""Takes the API server away for some seconds, and has it back when the block begins."""


def need_local_cluster() -> None:
    """Skip on a cluster whose components are not ours to stop."""
    try:
        running = components.is_running("kube-apiserver")
    except LocalClusterError:
        running = False
    if not running:
        pytest.skip("not the local cluster")


def _reachable_for_pods() -> bool:
    """Whether the API server answers at its Service: kube-proxy takes that away while there is none, and needs the API
    server itself to hear that it is back."""
    address = kubectl(
        "get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}", check=False
    )
    try:
        socket.create_connection((address.strip(), 443), timeout=2).close()
    except OSError:
        return False
    return bool(address.strip())


@contextmanager
def api_server_stopped(seconds: float) -> Iterator[None]:
    """The API server is ended in good order."""
    components.stop("kube-apiserver")
    try:
        time.sleep(seconds)  # what is tested is this very time
    finally:
        components.start("kube-apiserver")
    eventually("Pods to reach the API server", _reachable_for_pods, 60)
    yield


@contextmanager
def api_server_killed(seconds: float) -> Iterator[None]:
    """The API server is killed."""
    components.kill("kube-apiserver")
    try:
        time.sleep(seconds)
    finally:
        components.start("kube-apiserver")
    eventually("Pods to reach the API server", _reachable_for_pods, 60)
    yield


@contextmanager
def etcd_paused(seconds: float) -> Iterator[None]:
    """etcd is frozen: the API server takes calls and cannot answer them."""
    components.pause("etcd")
    try:
        time.sleep(seconds)
    finally:
        components.resume("etcd")
    eventually("the API server to be ready", lambda: components.is_healthy("kube-apiserver"), 60)
    yield


@contextmanager
def blackholed(address: str, seconds: float) -> Iterator[None]:
    """What a Pod sends to the API server is dropped on the way. Probes of the Pod go on."""
    rule = ["PREROUTING", "-s", address, "-p", "tcp", "--dport", "443", "-j", "DROP"]
    _iptables("-I", *rule)
    try:
        time.sleep(seconds)
    finally:
        _iptables("-D", *rule)
    yield


def _iptables(action: str, chain: str, *rule: str) -> None:
    # Before addresses are translated: connections that are there already are met too.
    subprocess.run(["iptables", "-t", "raw", action, chain, *rule], check=True, timeout=30)


def answered(*arguments: str, stdin: str = "") -> str:
    """kubectl, tried until the API server takes it: one that has just begun refuses some calls."""

    def call() -> str | None:
        try:
            return kubectl(*arguments, stdin=stdin) or " "
        except KubectlError:
            return None

    return eventually(f"kubectl {' '.join(arguments)}", call, 30)
