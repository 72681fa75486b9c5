"""The operator outlives the API server's absence, and two operators never work at the same time."""

import json
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.audit import calls
from tests.support.dask import dask_cluster, fake_worker_pods, names, workers
from tests.support.kubectl import Tree, apply, eventually, get, kubectl, list_objects
from tests.support.operator_process import (
    DEPLOYMENT,
    NAMESPACE,
    OperatorProcess,
    operator_pods,
    operator_processes,
    wait_rolled_out,
)
from tests.support.outage import (
    Outage,
    answered,
    api_server_killed,
    api_server_stopped,
    blackholed,
    etcd_paused,
    need_local_cluster,
)

# A component that is started here goes on when the tests are over.
pytestmark = [
    pytest.mark.alone,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

FAKE = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
SEED = 20261122


@pytest.fixture(autouse=True)
def local_cluster() -> None:
    """These tests stop what other clusters need."""
    need_local_cluster()


def _cluster(name: str, replicas: int) -> Tree:
    """A Dask cluster that runs nothing."""
    return dask_cluster(name, replicas, worker=FAKE, scheduler={"spec": fake_worker_pods()})


def _complete(namespace: str, cluster: str, replicas: int) -> bool:
    """Whether exactly so many workers are there and Ready, and the status says so."""
    item = get(namespace, "daskcluster", cluster) or {}
    summary = item.get("status", {}).get("workers", {}).get("summary")
    found = len(workers(namespace, f"{cluster}-default", alive=False))
    return bool(summary == f"{replicas}/{replicas}") and found == replicas


def _operator_pods() -> dict[str, int]:
    """The operator's Pods, and how often their containers were started again."""
    return {
        pod["metadata"]["name"]: sum(c["restartCount"] for c in pod["status"].get("containerStatuses", []))
        for pod in operator_pods()
    }


def _reconciles_within(namespace: str, name: str, seconds: float) -> None:
    """All that a new cluster needs of the operator is there so soon after the cluster could be made.

    Whether its Pods run then is not the operator's business: others may need longer to come to themselves.
    """
    answered("apply", "-n", namespace, "-f", "-", stdin=json.dumps(_cluster(name, 1)))

    def reconciled() -> bool:
        made = names(list_objects(namespace, "services,pods,daskworkergroups"))
        item = get(namespace, "daskcluster", name) or {}
        told = item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
        return (
            told
            and {f"{name}-scheduler", f"{name}-default"} <= made
            and bool(workers(namespace, f"{name}-default"))
        )

    eventually(f"{name} to be reconciled", reconciled, seconds)


@pytest.mark.parametrize(
    ("outage", "seconds"),
    [
        pytest.param(api_server_stopped, 3, marks=pytest.mark.slow),
        (api_server_killed, 3),
        pytest.param(etcd_paused, 20, marks=pytest.mark.slow),
        pytest.param(api_server_stopped, 90, marks=pytest.mark.slow),
        pytest.param(api_server_killed, 90, marks=pytest.mark.slow),
        pytest.param(etcd_paused, 90, marks=pytest.mark.slow),
    ],
)
def test_an_outage_of_the_api_server_is_a_pause_and_nothing_else(
    namespace: str, outage: Outage, seconds: float
) -> None:
    _reconciles_within(namespace, "before", 10)
    pods, started = names(list_objects(namespace, "pods")), _operator_pods()
    with outage(seconds):
        _reconciles_within(namespace, "after", 10)
    assert pods <= names(list_objects(namespace, "pods"))
    assert _operator_pods() == started


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [25, 120])
def test_a_blackhole_between_operator_and_api_server_is_a_pause_and_nothing_else(
    namespace: str, seconds: float
) -> None:
    apply(namespace, _cluster("before", 2))
    eventually("the first cluster to be complete", lambda: _complete(namespace, "before", 2), 180)
    started = _operator_pods()
    [pod] = operator_pods()
    with blackholed(pod["status"]["podIP"], seconds):
        _reconciles_within(namespace, "after", 60)
        kubectl("scale", "-n", namespace, "daskcluster", "before", "--replicas=3")
        eventually("the first cluster to grow", lambda: _complete(namespace, "before", 3))
    assert _operator_pods() == started


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[OperatorProcess]]:
    """Two operators, of which the first one leads."""
    with operator_processes(tmp_path, "first", "second") as processes:
        yield processes


def test_a_leader_that_is_told_to_stop_hands_over_within_5_seconds(
    namespace: str, pair: list[OperatorProcess]
) -> None:
    first, second = pair
    apply(namespace, _cluster("one", 20))
    first.send(signal.SIGTERM)
    eventually("the second one to lead", second.is_leading, 5, every=0.05)
    assert first.wait_ended(5) == 0
    _reconciles_within(namespace, "two", 8)
    eventually("the first cluster to be complete", lambda: _complete(namespace, "one", 20))


def test_a_leader_that_is_killed_is_replaced_within_25_seconds(
    namespace: str, pair: list[OperatorProcess]
) -> None:
    first, second = pair
    first.kill()
    _reconciles_within(namespace, "one", 25)
    assert second.is_leading()


@pytest.mark.parametrize("seconds", [22, pytest.param(60, marks=pytest.mark.slow)])
def test_a_leader_that_was_stopped_for_a_while_writes_nothing_after_its_successor(
    namespace: str, pair: list[OperatorProcess], seconds: float
) -> None:
    first, second = pair
    since = datetime.now(UTC).isoformat()
    apply(namespace, _cluster("busy", 1))
    eventually("the cluster to be complete", lambda: _complete(namespace, "busy", 1))
    kubectl("scale", "-n", namespace, "daskcluster", "busy", "--replicas=40")
    eventually("the leader to be in the middle of it", lambda: len(workers(namespace, "busy-default")) > 2)
    first.send(signal.SIGSTOP)
    stopped = time.monotonic()
    eventually("the second one to lead", second.is_leading, 25)
    eventually("the cluster to be complete", lambda: _complete(namespace, "busy", 40))
    time.sleep(max(0.0, seconds - (time.monotonic() - stopped)))  # for how long it stands still is the test
    kubectl("scale", "-n", namespace, "daskcluster", "busy", "--replicas=2")
    first.send(signal.SIGCONT)
    assert first.wait_ended(20) == 1
    eventually("the cluster to be complete", lambda: _complete(namespace, "busy", 2))
    _check_writes_follow(since, [first.name, second.name])


def _check_writes_follow(since: str, order: list[str]) -> None:
    """In the audit log from ``since`` on, the last write of each precedes the first one of the next."""
    made = {name: [c.at for c in calls(since) if c.is_write and f"({name})" in c.agent] for name in order}
    for before, after in pairwise(order):
        assert made[before]
        assert made[after]
        assert max(made[before]) < min(made[after])


@pytest.mark.parametrize("handovers", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_handovers_while_clusters_grow_and_shrink_change_only_how_long_it_takes(
    namespace: str, pair: list[OperatorProcess], handovers: int
) -> None:
    chance = random.Random(SEED)
    wanted = {"grow": 3, "shrink": 8}
    for name, replicas in wanted.items():
        apply(namespace, _cluster(name, replicas))
    leader, standby = pair
    for _ in range(handovers):
        for name in wanted:
            wanted[name] = chance.randint(0, 12)
            kubectl("scale", "-n", namespace, "daskcluster", name, f"--replicas={wanted[name]}")
        leader.send(signal.SIGTERM)
        assert leader.wait_ended(10) == 0
        eventually("the other one to lead", standby.is_leading, 5, every=0.05)
        leader.start()
        eventually("the former leader to be ready", leader.is_ready)
        leader, standby = standby, leader
    for name, replicas in wanted.items():
        eventually(f"{name} to be complete", partial(_complete, namespace, name, replicas))
    assert names(list_objects(namespace, "services")) == {"grow-scheduler", "shrink-scheduler"}
    assert names(list_objects(namespace, "daskworkergroups")) == {"grow-default", "shrink-default"}
    assert len(list_objects(namespace, "pods")) == sum(wanted.values()) + 2


def test_two_replicas_become_ready_and_one_of_them_leads() -> None:
    kubectl("scale", "deployment", DEPLOYMENT, "-n", NAMESPACE, "--replicas=2")
    try:
        wait_rolled_out()
        assert len(_operator_pods()) == 2
    finally:
        kubectl("scale", "deployment", DEPLOYMENT, "-n", NAMESPACE, "--replicas=1")
        eventually("one Pod to be left", lambda: len(_operator_pods()) == 1)
