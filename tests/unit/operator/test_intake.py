"""What comes in, and which custom resources are looked at because of it: at once, soon, or after a moment."""

import copy
from typing import Any, cast

import pytest
from dask_operator.intake import PLACEMENT_SECONDS, Intake
from dask_operator.store import Store

Tree = dict[str, Any]


class Queue:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.soon: set[str] = set()
        self.edited: set[str] = set()
        self.later: dict[str, float] = {}

    def add(self, key: object, edited: bool = False) -> None:
        (self.edited if edited else self.soon).add(str(key))

    def add_after(self, key: object, seconds: float) -> None:
        self.later[str(key)] = seconds


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def intake(queue: Queue) -> Intake:
    made = Intake(Store(), cast(Any, queue), cast(Any, None))
    made.saw("DaskCluster", _custom("DaskCluster", "c", 1, {"worker": {"replicas": 2}}))
    made.saw("DaskWorkerGroup", _custom("DaskWorkerGroup", "c-default", 2, {"cluster": "c", "worker": {}}))
    made.saw("Pod", _worker(3))
    queue.soon.clear()
    queue.edited.clear()
    return made


def _custom(kind: str, name: str, version: int, spec: Tree, generation: int = 1) -> Tree:
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"kind": kind, "metadata": {**meta, "generation": generation}, "spec": spec}


def _worker(version: int, node: str = "", **status: Any) -> Tree:
    held = {
        "dask.org/cluster-name": "c",
        "dask.org/component": "worker",
        "dask.org/workergroup-name": "c-default",
    }
    meta = {"name": "w", "namespace": "ns", "uid": "uid-w", "resourceVersion": str(version), "labels": held}
    spec: Tree = {"containers": [{"name": "worker"}], **({"nodeName": node} if node else {})}
    return {
        "kind": "Pod",
        "metadata": {**meta, "creationTimestamp": "2026-11-22T10:00:00Z"},
        "spec": spec,
        "status": {"phase": "Pending", **status},
    }


BOTH = {"DaskCluster ns/c", "DaskWorkerGroup ns/c-default"}


def test_that_a_pod_got_its_node_can_wait_for_what_it_says_next(queue: Queue, intake: Intake) -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T10:00:01Z"}
    assert intake.saw("Pod", _worker(4, "node1", conditions=[scheduled]))
    assert (queue.soon, queue.later) == (set(), dict.fromkeys(BOTH, PLACEMENT_SECONDS))


@pytest.mark.parametrize(
    "change",
    [
        {"containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
        {"podIP": "10.0.0.1"},
        {"phase": "Running"},
        {"conditions": [{"type": "Ready", "status": "True"}]},
    ],
)
def test_a_pod_that_says_more_than_that_is_looked_at_soon(queue: Queue, intake: Intake, change: Tree) -> None:
    assert intake.saw("Pod", _worker(4, "node1", **change))
    assert (queue.soon, queue.later) == (BOTH, {})


def test_that_a_pod_could_not_be_placed_before_is_over_soon(queue: Queue, intake: Intake) -> None:
    no = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    intake.saw("Pod", _worker(4, conditions=[no]))
    queue.soon.clear()
    queue.edited.clear()
    intake.saw("Pod", _worker(5, "node1"))
    assert (queue.soon, queue.later) == (BOTH, {})


def test_a_deleted_pod_is_looked_at_soon_wherever_it_is(queue: Queue, intake: Intake) -> None:
    body = copy.deepcopy(_worker(4, "node1"))
    body["metadata"]["deletionTimestamp"] = "2026-11-22T10:01:00Z"
    intake.saw("Pod", body)
    assert queue.soon == BOTH


def test_another_spec_is_an_edit_of_that_object_alone(queue: Queue, intake: Intake) -> None:
    intake.saw("DaskCluster", _custom("DaskCluster", "c", 9, {"worker": {"replicas": 5}}, generation=2))
    assert (queue.edited, queue.soon) == ({"DaskCluster ns/c"}, {"DaskWorkerGroup ns/c-default"})


def test_another_status_is_no_edit(queue: Queue, intake: Intake) -> None:
    body = _custom("DaskCluster", "c", 9, {"worker": {"replicas": 2}})
    intake.saw("DaskCluster", {**body, "status": {"phase": "Running"}})
    assert (queue.edited, queue.soon) == (set(), BOTH)


@pytest.mark.parametrize("generation", [1, 3])
def test_another_object_of_the_same_name_is_like_an_edit(
    queue: Queue, intake: Intake, generation: int
) -> None:
    body = _custom("DaskCluster", "c", 9, {"worker": {"replicas": 2}}, generation)
    body["metadata"]["uid"] = "uid-of-another"
    intake.saw("DaskCluster", body)
    assert (queue.edited, queue.soon) == ({"DaskCluster ns/c"}, {"DaskWorkerGroup ns/c-default"})
