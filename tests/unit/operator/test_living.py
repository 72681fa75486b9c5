"""Nothing is created again for an owner that is gone, though no watch has told of its end yet."""

import asyncio
from typing import Any

import pytest
from dask_operator.plan.cluster import NOTING_SECONDS
from dask_operator.reconcile import reconcile
from dask_operator.store import Key
from dask_operator_api.conditions import Outcome
from dask_operator_api.kinds import Kind

from tests.unit.operator.job_worlds import JOB_UID, attempt, job_body, running
from tests.unit.operator.simulation import KEY, World
from tests.unit.operator.worlds import cluster_body, owned_by, scheduler_body

CLUSTER = Key(Kind.CLUSTER, "ns", "c")


class Losing(World):
    """A world that loses objects which the number of Pods depends on."""

    def check_number_of_pods(self) -> None:
        """Not what these worlds are about."""

    def check_removal(self, name: str) -> None:
        """Nor this: a cluster that is gone takes its workers with it."""


async def _running() -> World:
    """A cluster that has all it needs, and whose status says so."""
    world = Losing(2)
    world.start_operator()
    for _ in range(6):
        await reconcile(world.context, CLUSTER)
        await reconcile(world.context, KEY)
        world.deliver()
        world.tick()
        world.deliver()
    return world


async def _again(world: World) -> None:
    for _ in range(3):
        await reconcile(world.context, CLUSTER)
        await reconcile(world.context, KEY)
        world.deliver()
        world.seconds += 2


@pytest.mark.parametrize("lost", [("DaskWorkerGroup", "c-default"), ("Pod", "c-scheduler")])
@pytest.mark.parametrize("end", ["gone", "being deleted"])
def test_what_a_gone_cluster_had_is_not_created_again(lost: tuple[str, str], end: str) -> None:
    async def live() -> World:
        world = await _running()
        cluster = world.kube.objects.pop(("DaskCluster", "c"))
        if end != "gone":
            changed = (
                {"uid": "another"} if end == "another" else {"deletionTimestamp": "2026-01-02T03:04:05Z"}
            )
            world.kube.objects["DaskCluster", "c"] = {
                **cluster,
                "metadata": {**cluster["metadata"], **changed},
            }
        world.kube.drop(*lost)
        world.deliver()
        await _again(world)
        return world

    assert lost not in asyncio.run(live()).kube.objects


def test_workers_of_a_group_that_is_gone_are_not_created_again() -> None:
    async def live() -> World:
        world = await _running()
        world.kube.objects.pop(("DaskWorkerGroup", "c-default"))
        for body in world.workers():
            world.kube.drop("Pod", body["metadata"]["name"])
        world.deliver()
        await reconcile(world.context, KEY)
        return world

    world = asyncio.run(live())
    assert world.workers() == []


def test_what_a_living_cluster_has_lost_is_created_again() -> None:
    async def live() -> World:
        world = await _running()
        world.kube.drop("DaskWorkerGroup", "c-default")
        world.deliver()
        await _again(world)
        return world

    assert ("DaskWorkerGroup", "c-default") in asyncio.run(live()).kube.objects


@pytest.mark.parametrize("there", [True, False])
def test_workers_of_a_cluster_of_which_no_watch_has_told_yet_stay(there: bool) -> None:
    async def live() -> World:
        world = await _running()
        world.context.store.clusters.objects.pop(("ns", "c"))  # as in a namespace that has just been entered
        if not there:
            world.kube.objects.pop(("DaskCluster", "c"))
        await reconcile(world.context, CLUSTER)
        await asyncio.gather(*world.context._tasks)
        world.deliver()
        return world

    world = asyncio.run(live())
    assert len(_living_workers(world)) == (2 if there else 0)
    assert (world.context.store.cluster("ns", "c") is not None) is there


@pytest.mark.parametrize(
    ("of_attempt", "ends"),
    [
        ({}, False),
        ({"shut_down": True}, True),
        ({"started": 0.0}, True),
        ({"outcome": Outcome.SUCCEEDED}, True),
    ],
    ids=["works", "noted", "not begun", "ended"],
)
def test_an_idle_cluster_of_a_job_ends_when_its_program_needs_it_no_more(
    of_attempt: dict[str, Any], ends: bool
) -> None:
    world = Losing(0)
    job = {**job_body(running(attempt(**of_attempt))), "apiVersion": "kubernetes.dask.org/v1"}
    job["metadata"]["name"] = "c"
    world.kube.put("DaskJob", job)
    spec = {"idleTimeout": 30, "worker": {"replicas": 0}}
    owned = {"ownerReferences": owned_by("DaskJob", JOB_UID, "c")}
    world.kube.put("DaskCluster", cluster_body(spec=spec, metadata=owned, status={"image": "image"}))
    world.kube.put("Pod", scheduler_body("terminated", uid="scheduler-1"))
    deleted: list[str] = []

    async def delete(kind: str, namespace: str, name: str, uid: str, at_once: bool = False) -> None:
        deleted.append(kind)

    world.kube.delete = delete  # type: ignore[method-assign]
    world.start_operator()
    again = asyncio.run(reconcile(world.context, CLUSTER))
    assert deleted == (["DaskCluster"] if ends else [])
    assert ends or again == NOTING_SECONDS
    assert ("Pod", "c-scheduler") not in world.kube.ever_created


def _living_workers(world: World) -> list[str]:
    return [
        name
        for (kind, name), body in world.kube.objects.items()
        if kind == "Pod" and "-worker-" in name and not body["metadata"].get("deletionTimestamp")
    ]
