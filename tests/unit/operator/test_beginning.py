"""How a cluster begins: with its scheduler's Pod, before the first status."""

from contextlib import suppress
from dataclasses import replace

import pytest
from dask_operator.errors import ApiError, Refused, TryAgain, Uncertain
from dask_operator.reconcile import reconcile
from dask_operator.store import Key
from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section

from tests.unit.operator.simulation import World

KEY = Key(Kind.CLUSTER, "ns", "c")


class New(World):
    """A world with nothing but a cluster that has just been made."""

    def __init__(self) -> None:
        super().__init__(1)
        for kind, name in list(self.kube.objects):
            if kind != Kind.CLUSTER:
                self.kube.drop(kind, name)
        del self.kube.objects["DaskCluster", "c"]["status"]
        self.told: list[str] = []
        self.failure: Exception | None = None

    def start(self, default_image: str = "") -> None:
        """A new process, of a release with that default image."""
        self.start_operator()
        self.kube.create = self._create  # type: ignore[method-assign]
        self.context.recorder.tell = lambda *said, **_: self.told.append(" ".join(said[1:]))  # type: ignore[method-assign]
        if default_image:
            self.context.settings = replace(self.context.settings, default_image=default_image)

    async def _create(self, kind: str, body: Manifest) -> Manifest:
        if self.failure is not None:
            raise self.failure
        return self.kube.put(kind, {**body, "metadata": {**body["metadata"], "uid": f"uid-of-{kind}"}})

    async def once(self) -> float | None:
        """A pass over the cluster."""
        return await reconcile(self.context, KEY)

    def kinds(self) -> set[str]:
        """Of what is there."""
        return {kind for kind, _ in self.kube.objects}

    def status(self) -> Manifest:
        """The cluster's."""
        return section(self.kube.objects["DaskCluster", "c"], "status")


async def test_the_scheduler_s_pod_comes_before_the_status_and_is_told_with_what_comes_after_it() -> None:
    world = New()
    world.start()
    assert await world.once() == 0.0
    assert (world.kinds(), world.status(), world.told) == ({"DaskCluster", "Pod"}, {}, [])
    await world.once()
    assert world.kinds() == {"DaskCluster", "Pod", "Service", "DaskWorkerGroup"}
    assert world.status()["scheduler"]["podUID"] == "uid-of-Pod"
    (event,) = world.told
    assert event.startswith("Created created ")
    for name in ("Pod c-scheduler", "Service c-scheduler", "DaskWorkerGroup c-default"):
        assert name in event


async def test_the_default_image_of_the_beginning_is_kept_by_whoever_goes_on() -> None:
    world = New()
    world.start("old:1")
    await world.once()
    world.start("new:2")
    await world.once()
    assert (world.status()["image"], world.status()["defaultImage"]) == ("old:1", "old:1")


async def test_the_default_image_of_another_s_scheduler_is_not_taken_over() -> None:
    world = New()
    world.start("old:1")
    await world.once()
    world.kube.objects["Pod", "c-scheduler"]["metadata"]["ownerReferences"][0]["uid"] = "of-one-before"
    world.start("new:2")
    await world.once()
    assert world.status()["defaultImage"] == "new:2"


async def test_the_pod_names_the_default_image_whatever_image_it_has() -> None:
    world = New()
    world.kube.objects["DaskCluster", "c"]["spec"]["image"] = "mine:1"
    world.start("old:1")
    await world.once()
    pod = world.kube.objects["Pod", "c-scheduler"]
    assert pod["metadata"]["annotations"][labels.DEFAULT_IMAGE] == "old:1"
    assert items(pod, "spec", "containers")[0]["image"] == "mine:1"


async def test_where_nobody_knows_whether_it_was_made_the_status_says_that_there_is_none() -> None:
    world = New()
    world.start()
    world.failure = Uncertain("no answer")
    with pytest.raises(TryAgain, match="no answer"):
        await world.once()
    ready = items(world.status(), "conditions")[0]
    assert (ready["reason"], ready["message"]) == (
        "SchedulerStarting",
        "the scheduler Pod does not exist yet",
    )


async def test_a_refusal_is_in_the_status_after_one_more_pass() -> None:
    world = New()
    world.start()
    world.failure = Refused("not on my watch", 403)
    assert await world.once() == 0.0
    await world.once()
    ready = items(world.status(), "conditions")[0]
    assert (ready["reason"], world.status()["phase"]) == ("PodRefused", "Error")
    assert "not on my watch" in ready["message"]


@pytest.mark.parametrize("successor", ["nobody", "another of its name"])
async def test_for_a_cluster_whose_end_no_watch_has_told_one_pod_is_made_at_most(successor: str) -> None:
    world = New()
    world.start()
    body = world.kube.objects.pop(("DaskCluster", "c"))
    if successor != "nobody":
        world.kube.put("DaskCluster", {**body, "metadata": {**body["metadata"], "uid": "another"}})
    made = 0
    for _ in range(6):
        again: float | None = None
        with suppress(ApiError):
            again = await world.once()
        if again != 0.0 and ("Pod", "c-scheduler") in world.kube.objects:
            made += 1
            world.kube.drop("Pod", "c-scheduler")  # garbage collection
            world.intake.gone("Pod", "ns", "c-scheduler", "uid-of-Pod", 10**6 + made)
            world.store.pods._gone.clear()  # the simulation gives the same uid again
    assert made <= 1
    assert world.store.cluster("ns", "c") is None
