"""The autoscaler as others install it: beside the operator, or two of them."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from tests.support.dask import dask_client, dask_cluster, workers
from tests.support.kubectl import Tree, apply, eventually, kubectl, list_objects
from tests.support.outage import need_local_cluster
from tests.support.releases import TAKE, instead_of_the_release, namespaces, uninstall, upgrade

from .test_autoscaler import QUICK, autoscaler
from .test_autoscaler_kills import PROGRAMS, processes

pytestmark = [pytest.mark.slow, pytest.mark.alone]

OWN = "app.kubernetes.io/component=autoscaler"
TAKE_OVER_SECONDS = 25.0
"""What the chart's values promise."""


@pytest.fixture
def place() -> Iterator[str]:
    """A namespace for a release, while that of the other tests is away. Its accounts are not those of the others."""
    name = f"install-{secrets.token_hex(3)}"
    with instead_of_the_release(), namespaces(name):
        try:
            yield name
        finally:
            uninstall("dask", name)


def _pods(place: str, selector: str = "") -> list[Tree]:
    return [
        pod for pod in list_objects(place, "pods", selector) if not pod["metadata"].get("deletionTimestamp")
    ]


def _kill(place: str, pod: Tree) -> None:
    """SIGKILL the program of a Pod, which cannot hand anything over then, and have the Pod replaced."""
    meta = pod["metadata"]
    for pid in processes(PROGRAMS["autoscaler"]):
        if meta["uid"] in Path(f"/proc/{pid}/cgroup").read_text():
            os.kill(pid, signal.SIGKILL)
    kubectl("delete", "pod", meta["name"], "-n", place, "--grace-period=0", "--force")


def _leader(place: str) -> str:
    """The Pod that holds the autoscalers' Lease; empty for none."""
    leases = list_objects(place, "leases", OWN)
    holder = str(leases[0]["spec"].get("holderIdentity") or "") if leases else ""
    return holder.partition("_")[0]


def _cluster_at_zero(namespace: str) -> None:
    apply(namespace, dask_cluster("wake", 0), autoscaler("wake", "wake", 0, 1, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/wake", "--timeout=60s")
    assert workers(namespace, "wake-default") == []


def _works(client: Client) -> None:
    assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_beside_the_operator_it_gives_a_cluster_at_zero_its_workers(place: str, namespace: str) -> None:
    upgrade("dask", place, *TAKE, "--set=autoscaler.mode=sidecar")
    (pod,) = _pods(place)
    assert len(pod["spec"]["containers"]) == 2
    eventually("it to hold the Lease", lambda: _leader(place) == pod["metadata"]["name"], 30)
    _cluster_at_zero(namespace)
    with dask_client(namespace, "wake") as client:
        _works(client)
    eventually("no worker", lambda: not workers(namespace, "wake-default", alive=False), 60)


def test_when_the_one_that_decides_dies_the_other_goes_on(place: str, namespace: str) -> None:
    need_local_cluster()
    upgrade("dask", place, *TAKE, "--set=autoscaler.replicas=2")
    pods = {pod["metadata"]["name"]: pod for pod in _pods(place, OWN)}
    leader = eventually("one to hold the Lease", lambda: _leader(place), 30)
    (other,) = set(pods) - {leader}
    _cluster_at_zero(namespace)
    began = time.monotonic()
    _kill(place, pods[leader])
    with dask_client(namespace, "wake") as client:
        future = client.submit(sum, [1, 2])
        eventually("the other to take over", lambda: _leader(place) == other, TAKE_OVER_SECONDS)
        print(f"another one decides after {time.monotonic() - began:.1f} s")
        assert future.result(timeout=60) == 3
