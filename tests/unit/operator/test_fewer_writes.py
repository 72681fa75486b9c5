"""What is written once, or not at all: a write of a status is the dearest that the API server does."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from dask_operator.plan.cluster_world import Create
from dask_operator.plan.world import Departure, GroupPlan, Removal
from dask_operator.reconcile import reconcile
from dask_operator.reconcile.acts import carry_out
from dask_operator.reconcile.group import _remove
from dask_operator.reconcile.lanes import Lanes
from dask_operator.reconcile.refusals import Waiting
from dask_operator.reconcile.statuses import ARRIVE_SECONDS, StatusPace, verdicts
from dask_operator.store import Key
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import items

from tests.unit.operator.simulation import World
from tests.unit.operator.worlds import group, worker


@pytest.mark.parametrize("owned", [True, False])
def test_only_a_group_that_does_not_go_with_its_cluster_is_told_that_there_is_none(owned: bool) -> None:
    world = World(1)
    ((kind, name),) = [key for key in world.kube.objects if key[0] == Kind.WORKER_GROUP.value]
    body = world.kube.objects[kind, name]
    owner = {"controller": True, "kind": "DaskCluster", "uid": "uid-of-one-that-is-gone"}
    world.kube.put(kind, {**body, "metadata": {**body["metadata"], "ownerReferences": [owner] * owned}})
    world.kube.drop("DaskCluster", "c")

    async def one_pass() -> None:
        world.start_operator()
        await reconcile(world.context, Key(Kind.WORKER_GROUP, "ns", name))

    asyncio.run(one_pass())
    told = [item["reason"] for item in items(world.kube.objects[kind, name], "status", "conditions")]
    assert told == ([] if owned else ["ClusterNotFound"])


def _status(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason}]}


@pytest.mark.parametrize(
    ("kind", "waits"), [("WorkersConnected", True), ("WorkersReady", False), ("Ready", False)]
)
def test_only_why_workers_are_not_connected_yet_may_wait(kind: str, waits: bool) -> None:
    before, after = _status(kind, "False", "WorkersStarting"), _status(kind, "False", "Connecting")
    assert (verdicts(before) == verdicts(after)) is waits
    assert verdicts(after) != verdicts(_status(kind, "True", "Connecting"))


def test_all_that_a_pass_has_made_is_one_event() -> None:
    told: list[str] = []

    async def create(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"kind": kind, **body}

    context: Any = SimpleNamespace(
        kube=SimpleNamespace(create=create),
        intake=SimpleNamespace(saw=lambda kind, body: True),
        recorder=SimpleNamespace(tell=lambda about, reason, message: told.append(f"{reason}: {message}")),
        refusals=SimpleNamespace(accepted=lambda key, kind: None),
        lanes=Lanes(16),
        made={},
    )
    acts = [Create(kind, {"metadata": {"name": "c-scheduler"}}) for kind in ("Service", "Pod")]
    about: Any = SimpleNamespace(namespace="ns", identity=("ns", "c"))
    asyncio.run(carry_out(context, Key(Kind.CLUSTER, "ns", "c"), about, acts, Waiting((), None)))
    (event,) = told
    assert event.startswith("Created: created ")
    assert all(name in event for name in ("Service c-scheduler", "Pod c-scheduler"))


def test_of_each_worker_that_was_chosen_to_go_it_is_counted_how_that_ended_and_a_failure_is_a_warning() -> (
    None
):
    counted: list[str] = []
    told: list[tuple[str, bool]] = []

    async def delete(kind: str, pod: Any) -> None:
        assert kind == "Pod"

    def tell(about: Any, reason: str, message: str, warning: bool) -> None:
        told.append((message.partition(":")[0], warning))

    recorder = SimpleNamespace(tell=tell)
    context: Any = SimpleNamespace(delete=delete, left=counted.append, lanes=Lanes(16), recorder=recorder)
    seen: Any = SimpleNamespace(group=group())
    gone = Removal(worker(1), "retired", departure=Departure.RETIRED)
    lost = Removal(worker(2), "failed before it was retired", departure=Departure.BEREFT, failed=True)
    ended = Removal(worker(3), "ended by itself")
    asyncio.run(_remove(context, seen, GroupPlan(remove=(gone, lost, ended))))
    assert sorted(counted) == ["bereft", "retired"]
    assert told == [
        ("removed 1 workers (retired)", False),
        ("removed 1 workers (failed before it was retired)", True),
        ("removed 1 workers (ended by itself)", False),
    ]


def _workers(ready: int) -> dict[str, Any]:
    return {"workers": {"desired": 5, "ready": ready}}


KEY = Key(Kind.WORKER_GROUP, "ns", "g")


def test_numbers_on_the_way_wait_a_moment_and_what_is_reached_does_not() -> None:
    pace = StatusPace()
    assert pace.wait(KEY, _workers(0), _workers(1), 100.0) == ARRIVE_SECONDS
    assert pace.wait(KEY, _workers(0), _workers(4), 101.0) == ARRIVE_SECONDS - 1
    assert pace.wait(KEY, _workers(0), _workers(5), 101.0) == 0
    assert pace.wait(KEY, _workers(0), _workers(4), 100.0 + ARRIVE_SECONDS) == 0


def test_numbers_that_change_on_and_on_are_written_every_few_seconds() -> None:
    pace = StatusPace()
    pace.wait(KEY, _workers(0), _workers(1), 100.0)
    pace.settled(KEY)  # it was written
    assert pace.wait(KEY, _workers(1), _workers(2), 101.0) == ARRIVE_SECONDS
    assert pace.wait(KEY, _workers(1), _workers(4), 103.0) == ARRIVE_SECONDS - 2


def test_numbers_that_came_back_by_themselves_begin_to_wait_anew() -> None:
    pace = StatusPace()
    pace.wait(KEY, _workers(4), _workers(3), 100.0)
    pace.settled(KEY)
    assert pace.wait(KEY, _workers(4), _workers(3), 110.0) == ARRIVE_SECONDS
