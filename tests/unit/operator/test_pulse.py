"""Clusters whose client is silent are deleted, and no other ones."""

import contextlib
from typing import Any

import pytest
from dask_operator.errors import Conflict, TryAgain
from dask_operator.plan.pulse import Pulse, felt, interval, is_news, time_to_live
from dask_operator.reconcile import reconcile
from dask_operator.store import Key
from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operator.simulation import World
from tests.unit.operator.worlds import CLUSTER_UID, cluster

CLUSTER = Key(Kind.CLUSTER, "ns", "c")
LIFE = 40.0


def living(sign: str = "one", life: str = "40") -> dict[str, Any]:
    """The metadata of a cluster whose client has asked to be missed."""
    return {"annotations": {labels.HEARTBEAT: sign, labels.TIME_TO_LIVE: life}}


def test_a_time_to_live_is_what_the_annotation_says() -> None:
    assert time_to_live(cluster(metadata=living())) == LIFE
    assert time_to_live(cluster()) is None


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-1", "0", "30s"])
def test_a_time_to_live_that_is_no_number_of_seconds_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="number of seconds such as 300"):
        time_to_live(cluster(metadata=living(life=text)))


def test_another_sign_or_another_cluster_of_the_name_is_news() -> None:
    before = felt(None, cluster(metadata=living()), LIFE, 0.0)
    assert not is_news(before, cluster(metadata=living()))
    assert is_news(before, cluster(metadata=living("two")))
    assert is_news(before, cluster(uid="another", metadata=living()))


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_silence_never_counts_for_longer_than_it_was_looked_at(pauses: list[float]) -> None:
    now, pulse = 0.0, felt(None, cluster(metadata=living()), LIFE, 0.0)
    for pause in pauses:
        now += pause
        pulse = felt(pulse, cluster(metadata=living()), LIFE, now)
    assert pulse.silent <= now
    assert pulse.silent <= len(pauses) * interval(LIFE)
    assert pulse.silent == pytest.approx(sum(min(pause, interval(LIFE)) for pause in pauses))


def test_a_sign_of_life_ends_the_silence() -> None:
    silent = Pulse(CLUSTER_UID, "one", 100.0, silent=39.0)
    assert felt(silent, cluster(metadata=living("two")), LIFE, 110.0).silent == 0


def test_looks_are_a_second_apart_however_short_a_life_somebody_writes() -> None:
    assert interval(0.001) == 1.0


class Watched(World):
    """A cluster whose client may be silent for 40 s."""

    def __init__(self) -> None:
        super().__init__(0)
        self.sign("one")
        self.asked = 0
        self.deleted: list[str] = []
        self.away = self.overtaken = False
        self._get = self.kube.get
        self.kube.get = self._asked  # type: ignore[method-assign]
        self.kube.delete = self._delete  # type: ignore[assignment]

    def sign(self, sign: str, life: str | None = "40") -> None:
        """The client gives a sign of life, or takes its time to live back."""
        body = self.kube.objects["DaskCluster", "c"]
        said = {labels.HEARTBEAT: sign} | ({labels.TIME_TO_LIVE: life} if life is not None else {})
        self.kube.put("DaskCluster", {**body, "metadata": {**body["metadata"], "annotations": said}})

    async def _asked(self, kind: str, namespace: str, name: str) -> Manifest:
        if self.away:
            raise TryAgain("the API server is away")
        self.asked += kind == Kind.CLUSTER
        return await self._get(kind, namespace, name)

    async def _delete(self, kind: str, namespace: str, name: str, uid: str, **how: Any) -> None:
        assert kind == Kind.CLUSTER
        if self.overtaken:
            raise Conflict("it was written to")
        assert str(how["version"]) == self.kube.objects[kind, name]["metadata"]["resourceVersion"]
        self.deleted.append(uid)
        self.kube.drop(kind, name)

    async def wait(self, seconds: int, beat: int | None = None, heard: bool = True) -> None:
        """The operator works for some seconds, and the client gives a sign every ``beat``."""
        for second in range(seconds):
            if beat and second % beat == 0:
                self.sign(f"{self.seconds} {second}")
            if heard:
                self.deliver()
            with contextlib.suppress(TryAgain):
                await reconcile(self.context, CLUSTER)
            self.seconds += 1

    def told(self) -> dict[str, str]:
        """The Events so far: their reasons with their messages."""
        waiting = self.context.recorder._waiting
        happenings = [waiting.get_nowait() for _ in range(waiting.qsize())]
        return {happening.reason: happening.message for happening in happenings}


@pytest.fixture
async def world() -> Watched:
    watched = Watched()
    watched.start_operator()
    return watched


async def test_a_cluster_is_deleted_when_its_client_is_silent_for_its_time_to_live_and_not_before(
    world: Watched,
) -> None:
    await world.wait(40)
    assert world.deleted == []
    await world.wait(6)
    assert world.deleted == [CLUSTER_UID]
    assert "no sign of life for 40 s" in world.told()["ClientSilent"]


async def test_a_cluster_whose_client_gives_signs_of_life_stays_and_costs_no_call(world: Watched) -> None:
    await world.wait(300, beat=8)
    assert (world.deleted, world.asked) == ([], 0)


async def test_signs_that_the_watches_did_not_tell_are_found_before_anything_is_deleted(
    world: Watched,
) -> None:
    await world.wait(300, beat=8, heard=False)
    assert world.deleted == []
    assert world.asked > 0


async def test_the_time_without_an_api_server_is_no_silence(world: Watched) -> None:
    await world.wait(5)
    world.away = True
    await world.wait(600)
    world.away = False
    await world.wait(25)
    assert world.deleted == []
    await world.wait(20)
    assert world.deleted != []


async def test_a_new_operator_gives_the_client_its_whole_time_again(world: Watched) -> None:
    await world.wait(35)
    world.start_operator()
    await world.wait(35)
    assert world.deleted == []


async def test_a_cluster_that_somebody_has_just_written_to_is_not_deleted(world: Watched) -> None:
    world.overtaken = True
    await world.wait(60)
    assert ("DaskCluster", "c") in world.kube.objects


async def test_a_time_to_live_that_was_taken_back_counts_even_if_the_watches_have_not_told(
    world: Watched,
) -> None:
    await world.wait(35)
    world.sign("one", None)
    await world.wait(60, heard=False)
    assert world.deleted == []


async def test_a_time_to_live_that_is_no_number_is_told_and_ends_nothing(world: Watched) -> None:
    world.sign("one", "soon")
    await world.wait(100)
    assert world.deleted == []
    assert "must be a number of seconds" in world.told()["InvalidSpec"]
