"""What is counted when something happens, read as Prometheus reads it."""

import asyncio

import pytest
from dask_operator_api.kinds import Kind
from dask_operator_autoscaler.errors import ApiError, SchedulerUnreachable
from dask_operator_autoscaler.kube import Kube
from dask_operator_autoscaler.metrics import Metrics
from dask_operator_autoscaler.scheduler import Question, Schedulers
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.autoscaler.stub_api import stub_api
from tests.unit.autoscaler.worlds import World, scaler


def counted(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one metric, by the values of their labels in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
        if sample.name == f"dask_operator_autoscaler_{name}"
    }


async def test_decisions_and_scalings_are_counted_by_what_they_were() -> None:
    world = World(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    world.kube.put(Kind.AUTOSCALER, scaler("late", "2026-11-23T00:00:00Z"))
    metrics = world.visitor._metrics
    world.work(40)
    await world.visit()
    world.work(0, connected=10)
    await world.visit()
    assert counted(metrics, "scalings_total") == {("up",): 1, ("down",): 1}
    assert counted(metrics, "decisions_total") == {
        ("TooManyReplicas",): 1,
        ("ReadyForNewScale",): 1,
        ("DuplicateTarget",): 2,
    }


async def test_a_scaling_that_did_not_happen_is_not_counted() -> None:
    world = World()
    world.work(4)
    world.kube.refusal = ApiError("no")
    await world.visit()
    assert counted(world.visitor._metrics, "scalings_total") == {}


async def test_calls_are_counted_by_verb_and_code() -> None:
    metrics = Metrics()
    async with stub_api() as (api, where):
        kube = Kube(where, called=metrics.called)
        await kube.lease("ns", "l").read()
        api.refusal = 409
        with pytest.raises(ApiError):
            await kube.scale("ns", "g", 1, "7")
    with pytest.raises(ApiError):
        await kube.lease("ns", "l").read()
    await kube.close()
    # labels by name: code, verb
    assert counted(metrics, "api_calls_total") == {("200", "GET"): 1, ("409", "PATCH"): 1, ("none", "GET"): 1}


async def test_questions_are_counted_by_whether_they_were_answered(unused_tcp_port: int) -> None:
    metrics = Metrics()
    schedulers = Schedulers(metrics.asked)
    questions: list[Question] = []
    with pytest.raises(SchedulerUnreachable):
        await asyncio.wait_for(schedulers.ask(f"http://127.0.0.1:{unused_tcp_port}", questions), 10)
    await schedulers.close()
    assert counted(metrics, "question_seconds_count") == {("unreachable",): 1}
