"""What the API server refuses is not asked for again and again, whatever else there is to do."""

import asyncio
import contextlib
import copy
from collections import Counter
from typing import Any

import pytest
from dask_operator.desired import cluster_autoscaler
from dask_operator.errors import Refused, TryAgain
from dask_operator.reconcile import reconcile
from dask_operator.reconcile.refusals import Refusals
from dask_operator.store import Key
from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from tests.unit.operator.simulation import World
from tests.unit.operator.worlds import WALL, worker, worker_body

CLUSTER = Key(Kind.CLUSTER, "ns", "c")


class Refusing(World):
    """A cluster without its objects, in a namespace where nothing of some kinds can be made."""

    words = "is forbidden because it is being terminated"

    def __init__(self, *kinds: str) -> None:
        super().__init__(1)
        self.asked: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self._make, self._give = self.kube.create, self.kube.get
        self._refused = kinds
        self.kube.create = self._create  # type: ignore[method-assign]
        self.kube.get = self._get  # type: ignore[method-assign]
        self.kube.drop("Pod", "c-scheduler")
        self.kube.drop("DaskWorkerGroup", "c-default")

    def refuse(self, *kinds: str) -> None:
        """From now on nothing of these kinds can be made, and everything else can."""
        self._refused = kinds

    async def _create(self, kind: str, body: Manifest) -> Any:
        self.asked[kind] += 1
        if kind in self._refused:
            raise Refused(self.words, 403, kind)
        return await self._make(kind, body)

    async def _get(self, kind: str, namespace: str, name: str) -> Any:
        self.read[kind] += 1
        return await self._give(kind, namespace, name)

    def check_number_of_pods(self) -> None:
        """Not what these worlds are about: they may have no group that says how many there should be."""

    async def passes(self, many: int) -> None:
        self.start_operator()
        for _ in range(many):
            await reconcile(self.context, CLUSTER)
            self.deliver()


@pytest.mark.parametrize("kinds", [("Pod",), ("Pod", "Service"), ("Pod", "Service", "DaskWorkerGroup")])
def test_each_kind_that_is_refused_is_asked_for_once_in_a_while(kinds: tuple[str, ...]) -> None:
    async def live() -> World:
        world = Refusing(*kinds)
        await world.passes(12)
        return world

    world = asyncio.run(live())
    assert isinstance(world, Refusing)
    # Of several that are refused in one pass only one is remembered, so each costs the others one more try.
    assert all(1 <= world.asked[kind] <= len(kinds) for kind in kinds)


def test_what_is_not_refused_is_made_all_the_same() -> None:
    async def live() -> World:
        world = Refusing("Service")
        await world.passes(3)
        return world

    world = asyncio.run(live())
    assert ("Pod", "c-scheduler") in world.kube.objects
    assert ("DaskWorkerGroup", "c-default") in world.kube.objects


def test_an_autoscaler_that_nobody_has_told_of_yet_is_waited_for_not_read() -> None:
    async def live() -> World:
        world = Refusing()
        cluster = world.kube.objects["DaskCluster", "c"]
        cluster["spec"]["autoscaler"] = {"minimum": 0, "maximum": 2}
        world.kube.put("DaskCluster", cluster)
        world.start_operator()
        made = cluster_autoscaler(world.context.store.clusters.objects["ns", "c"])
        made["metadata"]["uid"] = "autoscaler-uid"
        world.kube.put("DaskAutoscaler", made)
        with pytest.raises(TryAgain):
            await reconcile(world.context, CLUSTER)
        world.deliver()
        world.asked.clear()
        await reconcile(world.context, CLUSTER)
        return world

    world = asyncio.run(live())
    assert isinstance(world, Refusing)
    assert world.asked["DaskAutoscaler"] == 0
    assert world.read["DaskAutoscaler"] == 0


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("forbidden: error looking up service account ns/default: serviceaccount not found", 2),
        ("forbidden: exceeded quota: few", 10),
        ("spec.containers[0].image: Required value", 60),
    ],
)
def test_what_may_be_over_soon_is_tried_again_soon(words: str, seconds: float) -> None:
    async def live() -> list[int]:
        world = Refusing("Pod")
        world.words = words
        asked = []
        await world.passes(2)
        for age in (seconds - 1, 2):
            world.seconds += age
            await reconcile(world.context, CLUSTER)
            asked.append(world.asked["Pod"])
        return asked

    assert asyncio.run(live()) == [1, 2]


@pytest.mark.parametrize(
    "words", ["error looking up service account ns/default: serviceaccount not found", "exceeded quota: few"]
)
def test_a_refusal_is_told_until_it_is_over_and_then_no_more(words: str) -> None:
    async def live() -> tuple[list[str], str]:
        world = Refusing("Pod")
        world.words = words
        world.start_operator()
        told = await _seconds(world, 30)
        world.refuse()
        return told, (await _seconds(world, 15))[-1]

    told, afterwards = asyncio.run(live())
    refusal = "QuotaExceeded" if "quota" in words else "PodRefused"
    first = told.index(refusal)
    assert first <= 2
    assert set(told[first:]) == {refusal}
    assert afterwards not in ("QuotaExceeded", "PodRefused")


async def _seconds(world: World, many: int) -> list[str]:
    """What the status says at the end of each of so many seconds."""
    told = []
    for _ in range(many):
        await reconcile(world.context, CLUSTER)
        world.deliver()
        world.seconds += 1
        told.append(_reason(world))
    return told


def _reason(world: World) -> str:
    """Why the cluster is or is not ready, as the cluster's status has it."""
    status = world.kube.objects["DaskCluster", "c"].get("status", {})
    found = [item for item in status.get("conditions", []) if item["type"] == "Ready"]
    return str(found[0]["reason"]) if found else ""


class Denying(World):
    """A cluster with workers, whose Pods nobody may change."""

    def __init__(self, replicas: int) -> None:
        super().__init__(replicas)
        self.tried = 0
        self._change = self.kube.patch
        self.kube.patch = self._patch  # type: ignore[method-assign]
        self.start_operator()

    async def _patch(
        self, kind: str, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        if kind == "Pod":
            self.tried += 1
            raise Refused("metadata.labels: Invalid value", 422)
        return await self._change(kind, namespace, name, body, subresource)

    async def live(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.settle()
            self.tick()

    def ready(self) -> Manifest:
        held = self.kube.objects["DaskWorkerGroup", "c-default"]["status"]["conditions"]
        return next(item for item in held if item["type"] == "Ready")


def test_a_refused_label_is_told_and_workers_still_go_and_are_replaced() -> None:
    async def live() -> Denying:
        world = Denying(3)
        await world.live(6)
        body = copy.deepcopy(world.kube.objects["DaskWorkerGroup", "c-default"])
        body["spec"]["worker"] |= {"replicas": 2, "metadata": {"labels": {"team": "a b"}}}
        body["metadata"]["generation"] += 1
        world.kube.put("DaskWorkerGroup", body)
        await world.live(10)
        world.lose(0)
        await world.live(10)
        return world

    world = asyncio.run(live())
    assert (world.ready()["status"], world.ready()["reason"]) == ("False", "PodRefused")
    assert len(world.alive()) == 2
    assert world.tried <= 3, "every pass tried again"


def test_a_leaving_worker_is_saved_whatever_else_cannot_be_written() -> None:
    class NoServices(World):
        async def create(self, kind: str, body: Manifest) -> Any:
            raise TryAgain("a webhook does not answer")

        def check_number_of_pods(self) -> None:
            """One more is there while one goes."""

    async def live() -> NoServices:
        world = NoServices(2)
        world.kube.create = world.create  # type: ignore[method-assign]
        for number in (1, 2):
            world.kube.put("Pod", worker_body(number))
            world.scheduler.known[worker(number).name] = f"10.0.0.{number}"
        world.kube.objects["Pod", worker(1).name]["metadata"]["deletionTimestamp"] = rfc3339(WALL)
        world.start_operator()
        for _ in range(3):
            with contextlib.suppress(TryAgain):
                await reconcile(world.context, CLUSTER)
            await asyncio.gather(*world.context.desk._tasks)
        return world

    world = asyncio.run(live())
    assert world.scheduler.closing == {worker(1).name}


@pytest.mark.parametrize(
    ("words", "status", "final"),
    [
        ("spec.containers[0].imagee: unknown field", 400, True),
        ('Pod "j-runner" is invalid: spec.containers: Required value', 422, True),
        ('admission webhook "policy.example.com" denied the request: no owner label', 400, False),
        ("ValidatingAdmissionPolicy 'owners' with binding 'all' denied request: no owner label", 422, False),
        ("exceeded quota: few", 403, False),
    ],
)
def test_only_what_is_wrong_with_the_object_itself_is_final(words: str, status: int, final: bool) -> None:
    error = Refused(words, status, "Pod")
    error.creating = True
    problem = Refusals(lambda: 0.0).remember(CLUSTER, (1,), Reason.POD_REFUSED, error)
    assert problem.final is final


def test_a_refused_removal_is_told_and_its_worker_is_replaced_and_both_end_with_the_refusal() -> None:
    async def live() -> tuple[Manifest, int, Denying]:
        world = Denying(2)
        await world.live(6)
        delete = world.kube.delete

        async def refuse(*args: Any) -> None:
            raise Refused("a policy says no", 403)

        world.kube.delete = refuse  # type: ignore[assignment,method-assign]
        world.lose(0)
        await world.live(10)
        meanwhile = world.ready(), len(world.alive())
        world.kube.delete = delete  # type: ignore[method-assign]
        await world.live(70)
        return *meanwhile, world

    told, alive, world = asyncio.run(live())
    assert (told["status"], told["reason"], alive) == ("False", "PodRefused", 2)
    assert world.ready()["status"] == "True"
    assert len(world.workers()) == 2
