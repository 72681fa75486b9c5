"""Clusters that another operator has made of Deployments: nothing is made beside them."""

import asyncio
from typing import Any

import pytest
from dask_operator.api_server.kube import Listing
from dask_operator.errors import SchedulerUnreachable, TryAgain
from dask_operator.observed import Activity, DeploymentView, PodView
from dask_operator.observed.objects import deployment_view
from dask_operator.observed.pods import pod_view
from dask_operator.plan.legacy import (
    Asked,
    LegacyObserved,
    may_be,
    needs_word,
    of_cluster,
    plan_legacy,
)
from dask_operator.reconcile import reconcile
from dask_operator.store import Key
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items

from tests.unit.operator.simulation import World
from tests.unit.operator.worlds import CLUSTER_UID, GROUP_UID, cluster, cluster_body, owned_by, scheduler_body

KEY = Key(Kind.CLUSTER, "ns", "c")
BUSY, IDLE = Activity(clients=1, tasks=3, results=2), Activity(0, 0, 0)
OF_A_JOB = {"metadata": {"ownerReferences": owned_by("DaskJob", "job-uid", "c")}}
ASKS = {"metadata": {"annotations": {"kubernetes.dask.org/restart": "now"}}}


def deployment_body(component: str = "scheduler", owner: str = CLUSTER_UID, **metadata: Any) -> Manifest:
    """A Deployment of the other operator."""
    name = "c-scheduler" if component == "scheduler" else "c-default-worker-0a1b2c3d4e"
    labels = {"dask.org/cluster-name": "c", "dask.org/component": component}
    owners = [{"controller": True, "kind": "DaskCluster", "name": "c", "uid": owner}]
    named = {
        "name": name,
        "namespace": "ns",
        "uid": f"{name}-uid",
        "labels": labels,
        "ownerReferences": owners,
    }
    return {"kind": "Deployment", "metadata": {**named, **metadata}}


def deployment(component: str = "scheduler", owner: str = CLUSTER_UID, **metadata: Any) -> DeploymentView:
    return deployment_view(deployment_body(component, owner, **metadata))


def pod_body(state: str = "running", **metadata: Any) -> Manifest:
    """The scheduler Pod of such a Deployment."""
    body = scheduler_body(state)
    del body["metadata"]["labels"]["kubernetes.dask.org/cluster-uid"]
    owners = [{"controller": True, "kind": "ReplicaSet", "name": "c-scheduler-5d4", "uid": "replicas-uid"}]
    body["metadata"] |= {"name": "c-scheduler-5d4-x7z", "ownerReferences": owners, **metadata}
    return body


def pod(state: str = "running", **metadata: Any) -> PodView:
    return pod_view(pod_body(state, **metadata))


def seen(*parts: DeploymentView | PodView, **of: Any) -> LegacyObserved:
    deployments = tuple(part for part in parts if isinstance(part, DeploymentView))
    pods = tuple(part for part in parts if isinstance(part, PodView))
    return LegacyObserved(cluster(**of), deployments, pods)


# -- which clusters


@pytest.mark.parametrize(
    ("parts", "may"),
    [
        ({}, False),
        ({"status": {"phase": "Running"}}, True),
        ({"status": {"phase": "Running", "image": "ours"}}, False),
        ({"metadata": {"annotations": {"kopf.zalando.org/last-handled-configuration": "{}"}}}, True),
        ({"metadata": {"annotations": {"example.com/key": "value"}}}, False),
    ],
)
def test_deployments_are_looked_for_where_somebody_else_was_at_work_only(parts: Any, may: bool) -> None:
    assert may_be(cluster(**parts)) == may


def test_only_deployments_of_the_cluster_and_its_groups_count() -> None:
    ours = (deployment(), deployment("worker", GROUP_UID))
    assert (
        of_cluster(cluster(), [GROUP_UID], [*ours, deployment(owner="another"), deployment(owner="")]) == ours
    )


# -- what becomes of them


def test_a_cluster_with_work_is_left_alone_and_says_what_it_waits_for() -> None:
    plan = plan_legacy(seen(deployment(), pod()), Asked(BUSY))
    assert (plan.delete, plan.moving) == ((), "")
    assert plan.waits_for == "it is not idle: 1 clients, 3 tasks, 2 results"


@pytest.mark.parametrize("asked", [Asked(), Asked(problem="no route to host")])
def test_a_cluster_whose_scheduler_says_nothing_is_left_alone(asked: Asked) -> None:
    plan = plan_legacy(seen(deployment(), pod()), asked)
    assert plan.delete == ()
    assert asked.problem in plan.waits_for


def test_an_idle_cluster_is_moved_whole() -> None:
    both = (deployment(), deployment("worker", GROUP_UID))
    plan = plan_legacy(seen(*both, pod()), Asked(IDLE))
    assert (plan.delete, plan.moving) == (both, "it is idle")


def test_an_idle_cluster_of_a_job_stays_since_its_program_comes_back() -> None:
    world = seen(deployment(), deployment("worker", GROUP_UID), pod(), **OF_A_JOB)
    assert not needs_word(world)
    plan = plan_legacy(world, Asked(IDLE))
    assert (plan.delete, plan.moving) == ((), "")


def test_an_idle_cluster_of_a_job_that_has_got_no_workers_is_moved() -> None:
    world = seen(deployment(), pod(), **OF_A_JOB)
    assert needs_word(world)
    assert plan_legacy(world, Asked(IDLE)).delete == (deployment(),)


def test_the_annotation_moves_a_cluster_that_works() -> None:
    world = seen(deployment(), pod(), **ASKS)
    assert not needs_word(world)
    assert plan_legacy(world, Asked()).delete == (deployment(),)


def test_a_move_that_has_begun_goes_on_and_deletes_nothing_twice() -> None:
    gone = deployment(deletionTimestamp="2026-01-01T00:00:00Z")
    worker = deployment("worker", GROUP_UID)
    assert plan_legacy(seen(gone, worker, pod()), Asked()).delete == (worker,)


def test_workers_without_a_scheduler_are_of_no_use() -> None:
    worker = deployment("worker", GROUP_UID)
    assert plan_legacy(seen(worker), Asked()).delete == (worker,)


def test_a_scheduler_whose_pod_is_just_missing_is_waited_for() -> None:
    plan = plan_legacy(seen(deployment()), Asked())
    assert (plan.delete, plan.waits_for) == ((), "its scheduler does not run")


def test_nobody_makes_anything_before_the_last_pod_is_gone() -> None:
    assert not seen(pod(deletionTimestamp="2026-01-01T00:00:00Z")).gone
    assert seen().gone


# -- the pass


class Other(World):
    """A world with a cluster of Deployments in it."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(0)
        self.kube.drop("Pod", "c-scheduler")
        self.kube.put("DaskCluster", cluster_body(**{"status": {"phase": "Running"}, **parts}))
        self.kube.put("Pod", pod_body())
        self.deployments = [deployment_body(), deployment_body("worker", GROUP_UID)]
        self.answer: Activity | None = BUSY
        self.asked = 0
        self.broken_deletes = 0
        """So many of the next deletions fail."""
        self.kube.list_all = self.listing  # type: ignore[attr-defined]
        self.kube.delete = self.deleting  # type: ignore[method-assign]
        self.scheduler.activity = self.activity  # type: ignore[attr-defined]
        self.start_operator()

    async def listing(self, kind: str, selector: str = "", namespace: str | None = None) -> Listing[Manifest]:
        assert (kind, selector, namespace) == ("Deployment", "dask.org/cluster-name=c", "ns")
        return Listing(list(self.deployments), 1)

    async def deleting(self, kind: str, namespace: str, name: str, uid: str, at_once: bool = False) -> None:
        assert kind == "Deployment"
        if self.broken_deletes:
            self.broken_deletes -= 1
            raise TryAgain("no answer")
        self.deployments = [body for body in self.deployments if body["metadata"]["uid"] != uid]

    async def activity(self, host: str, port: int, workers: tuple[object, ...]) -> Activity:
        self.asked += 1
        if self.answer is None:
            raise SchedulerUnreachable("no route to host")
        return self.answer

    async def passes(self, times: int = 3) -> None:
        for _ in range(times):
            await reconcile(self.context, KEY)
            self.deliver()

    def made(self) -> set[tuple[str, str]]:
        return self.kube.ever_created - {one for one in self.kube.ever_created if one[0] == "Event"}

    def condition(self, kind: str) -> Manifest:
        status = self.kube.objects[("DaskCluster", "c")]
        return next((one for one in items(status, "status", "conditions") if one["type"] == kind), {})


def test_a_working_cluster_is_not_touched_and_the_status_says_so() -> None:
    world = Other()
    asyncio.run(world.passes())
    assert world.made() == set()
    assert len(world.deployments) == 2
    layout = world.condition("LegacyLayout")
    assert (layout["status"], layout["reason"]) == ("True", "MadeOfDeployments")
    assert "1 clients, 3 tasks, 2 results" in layout["message"]
    assert world.condition("Ready")["status"] == "True"


def test_the_status_of_a_job_s_cluster_says_that_it_goes_with_the_job() -> None:
    world = Other(**OF_A_JOB)
    world.answer = IDLE
    asyncio.run(world.passes())
    assert (world.made(), world.asked) == (set(), 0)
    assert "goes with the job" in world.condition("LegacyLayout")["message"]


def test_its_scheduler_is_asked_once_in_a_while_only() -> None:
    world = Other()
    asyncio.run(world.passes())
    assert world.asked == 1
    world.tick(31)
    asyncio.run(world.passes())
    assert world.asked == 2


def test_a_cluster_that_was_idle_a_while_ago_is_asked_again_before_it_is_moved() -> None:
    world = Other()
    world.answer = IDLE
    world.broken_deletes = 1
    with pytest.raises(TryAgain):
        asyncio.run(world.passes(1))
    world.answer = BUSY
    asyncio.run(world.passes())
    assert len(world.deployments) == 2


def test_its_groups_are_not_touched_either() -> None:
    world = Other()
    world.scale(3)
    world.deliver()
    asyncio.run(world.passes())
    assert asyncio.run(reconcile(world.context, Key(Kind.WORKER_GROUP, "ns", "c-default"))) is None
    assert world.made() == set()


def test_an_idle_cluster_is_made_anew_when_the_last_of_the_old_is_gone() -> None:
    world = Other()
    world.answer = IDLE
    asyncio.run(world.passes())
    assert world.deployments == []
    assert world.made() == set(), "the old scheduler's Pod is still there"
    assert world.condition("LegacyLayout")["reason"] == "Moving"
    world.kube.drop("Pod", "c-scheduler-5d4-x7z")
    world.deliver()
    asyncio.run(world.passes())
    assert ("Pod", "c-scheduler") in world.made()
    assert world.condition("LegacyLayout") == {}


def test_a_cluster_whose_scheduler_cannot_be_asked_says_why_it_stays() -> None:
    world = Other()
    world.answer = None
    asyncio.run(world.passes())
    assert "no route to host" in world.condition("LegacyLayout")["message"]
    assert world.made() == set()
