"""One visit: who is scaled, what is written, what is told."""

import json
import logging
from typing import Any

import pytest
from dask_operator_api.kinds import Kind
from dask_operator_api.logs import JsonFormatter
from dask_operator_autoscaler.errors import Conflict, Refused
from dask_operator_autoscaler.scheduler import Lane

from tests.unit.autoscaler.worlds import HOME, World, crowd, dask_cluster, scaler, worker_group


async def test_waiting_tasks_wake_the_group_and_an_event_says_so() -> None:
    world = World()
    world.work(4)
    await world.visit()
    assert world.kube.replicas() == 4
    assert world.kube.told == ["SuccessfulRescale"]
    assert "from 0 to 4 workers" in world.kube.events[0]["message"]
    status = world.kube.objects[Kind.AUTOSCALER, "c"]["status"]
    assert (status["currentReplicas"], status["desiredReplicas"], status["wishedReplicas"]) == (0, 4, 4)
    assert status["lastScaleTime"] == "2027-01-15T08:00:05Z"
    assert world.kube.condition("AbleToScale") == ("True", "ReadyForNewScale")
    assert world.kube.condition("ScalingActive") == ("True", "SchedulerAnswers")
    assert world.kube.condition("ScalingLimited") == ("False", "DesiredWithinRange")


async def test_a_decision_is_logged_with_its_autoscaler_its_generation_and_how_long_it_took(
    caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    lines: list[dict[str, Any]] = []

    class AsJson(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # while the pass lasts, whose numbers go into it
            lines.append(json.loads(JsonFormatter().format(record)))

    handler, root = AsJson(), logging.getLogger()
    root.addHandler(handler)
    request.addfinalizer(lambda: root.removeHandler(handler))
    world = World()
    world.work(4)
    with caplog.at_level(logging.INFO):
        await world.visit()
    [line] = [line for line in lines if "SuccessfulRescale" in line["message"]]
    assert line["object"] == "DaskAutoscaler ns/c"
    assert line["generation"] == world.kube.objects[Kind.AUTOSCALER, "c"]["metadata"]["generation"]
    assert line["seconds"] >= 0


async def test_a_cluster_that_does_nothing_is_written_about_once() -> None:
    world = World()
    for _ in range(20):
        await world.visit(1.0)
    assert world.kube.status_writes == 1


async def test_a_busy_cluster_at_its_maximum_is_not_written_about_again_and_again() -> None:
    world = World()
    world.work(50)
    await world.visit()
    world.work(50, connected=10, busy=5)
    await world.visit()
    before = world.kube.status_writes
    for _ in range(20):
        await world.visit()
    assert world.kube.status_writes - before <= 1


async def test_a_window_goes_on_where_it_was_after_a_restart() -> None:
    world = World(behavior={"scaleDown": {"stabilizationWindowSeconds": 30}})
    world.work(4)
    await world.visit()
    world.work(4, connected=4, busy=1)
    await world.visit()
    world.work(0, connected=4)
    await world.visit()
    await world.visit(12.0)
    world.restart()
    await world.visit(11.0)
    assert world.kube.replicas() == 4
    await world.visit(4.0)
    assert world.kube.replicas() == 0


async def test_a_restart_never_makes_a_window_shorter() -> None:
    world = World(behavior={"scaleDown": {"stabilizationWindowSeconds": 30}})
    world.work(4)
    await world.visit()
    world.work(4, connected=4, busy=1)
    for _ in range(20):
        await world.visit()
    world.restart()
    world.work(0, connected=4)
    await world.visit(1.0)
    await world.visit(28.0)
    assert world.kube.replicas() == 4
    await world.visit(3.0)
    assert world.kube.replicas() == 0


async def test_a_scheduler_that_does_not_answer_changes_the_condition_only() -> None:
    world = World()
    world.work(4)
    await world.visit()
    world.work(0, connected=4)
    world.dask.silent = True
    pauses = [await world.visit(120.0) for _ in range(6)]
    assert world.kube.replicas() == 4
    assert world.kube.condition("ScalingActive") == ("False", "SchedulerUnreachable")
    assert pauses == [5, 10, 20, 40, 60, 60]
    assert [lane for _, lane in world.dask.asked[-2:]] == [Lane.SLOW, Lane.SLOW]
    world.dask.silent = False
    assert await world.visit() == 5
    assert world.kube.condition("ScalingActive") == ("True", "SchedulerAnswers")
    assert world.kube.replicas() == 4, "a single wish after a long silence let workers go"


async def test_bounds_hold_even_if_nobody_answers() -> None:
    world = World()
    world.dask.silent = True
    world.kube.put(Kind.AUTOSCALER, scaler(minimum=3))
    await world.visit()
    assert world.kube.replicas() == 3


async def test_a_scheduler_that_is_not_ready_is_not_asked() -> None:
    world = World()
    world.kube.put(Kind.CLUSTER, dask_cluster(ready=False))
    await world.visit()
    assert world.dask.asked == []
    assert world.kube.condition("ScalingActive") == ("False", "SchedulerStarting")


async def test_before_the_cluster_exists_the_autoscaler_waits() -> None:
    world = World()
    world.store.clusters.drop(dask_cluster())
    assert await world.visit() == 5
    assert world.kube.condition("AbleToScale") == ("False", "ClusterNotFound")
    world.kube.put(Kind.CLUSTER, dask_cluster())
    await world.visit()
    assert world.kube.condition("AbleToScale") == ("True", "ReadyForNewScale")


async def test_a_group_that_does_not_exist_is_waited_for() -> None:
    world = World(workerGroup="c-gpu")
    await world.visit()
    assert world.kube.condition("AbleToScale") == ("False", "WorkerGroupNotFound")


async def test_a_spec_that_cannot_be_read_is_told() -> None:
    world = World(behavior={"scaleUp": {"selectPolicy": "Sometimes"}})
    world.now += 5
    await world.visitor.visit(("ns", ""))
    assert world.kube.condition("AbleToScale") == ("False", "InvalidSpec")


async def test_the_younger_of_two_on_one_group_does_nothing() -> None:
    world = World()
    world.kube.put(Kind.AUTOSCALER, scaler("a-late-one", "2026-11-23T00:00:00Z", minimum=9))
    world.work(4)
    await world.visit()
    assert world.kube.replicas() == 4
    assert world.kube.condition("AbleToScale", "a-late-one") == ("False", "DuplicateTarget")


async def test_the_wish_is_spent_once() -> None:
    world = World()
    world.kube.put(Kind.WORKER_GROUP, worker_group("c-more"))
    world.kube.put(Kind.AUTOSCALER, scaler("a-more", workerGroup="c-more"))
    world.work(4)
    await world.visit()
    assert world.kube.replicas() == 4
    assert world.kube.replicas("c-more") == 0


async def test_without_one_on_the_default_group_the_first_by_name_gets_the_wish() -> None:
    world = World(workerGroup="c-more")
    world.kube.put(Kind.WORKER_GROUP, worker_group("c-more"))
    world.work(4)
    await world.visit()
    assert (world.kube.replicas(), world.kube.replicas("c-more")) == (0, 4)


async def test_a_suspended_autoscaler_changes_nothing_and_says_so() -> None:
    world = World(suspend=True)
    world.work(4)
    await world.visit()
    assert world.kube.replicas() == 0
    assert world.kube.condition("AbleToScale") == ("True", "ReadyForNewScale")
    assert world.kube.condition("ScalingActive") == ("False", "Suspended")


async def test_a_dry_run_says_what_it_would_do() -> None:
    world = World(dryRun=True)
    world.work(4)
    await world.visit()
    await world.visit()
    assert world.kube.replicas() == 0
    assert world.kube.told == []
    assert world.kube.objects[Kind.AUTOSCALER, "c"]["status"]["desiredReplicas"] == 4


async def test_a_number_that_somebody_else_sets_is_answered_by_an_event_and_by_the_next_decision() -> None:
    world = World()
    world.work(4)
    await world.visit()
    world.work(4, connected=4, busy=3)
    for _ in range(7):
        await world.visit()
    world.kube.put(Kind.WORKER_GROUP, worker_group(replicas=9))
    await world.visit()
    assert world.kube.told == ["SuccessfulRescale", "ScaledByOthers", "SuccessfulRescale"]
    assert world.kube.replicas() == 4


@pytest.mark.parametrize(("manager", "told"), [("dask-operator-autoscaler", False), ("kubectl", True)])
async def test_a_number_of_an_earlier_life_that_was_not_noted_is_nobody_elses(
    manager: str, told: bool
) -> None:
    world = World()
    world.work(4)
    await world.visit()
    world.work(7, connected=4, busy=1)
    body = worker_group(replicas=7)
    fields: dict[str, Any] = {"f:spec": {"f:worker": {"f:replicas": {}}}}
    body["metadata"]["managedFields"] = [{"manager": manager, "subresource": "scale", "fieldsV1": fields}]
    world.kube.put(Kind.WORKER_GROUP, body)
    world.restart()
    await world.visit()
    assert ("ScaledByOthers" in world.kube.told) == told


async def test_late_news_of_the_own_change_is_nobody_elses() -> None:
    world = World()
    world.work(4)
    world.kube.lag = True
    await world.visit()
    await world.visit(1.0)
    assert world.kube.told == ["SuccessfulRescale"]
    assert world.kube.replicas() == 4


async def test_a_number_set_while_the_scheduler_is_asked_is_seen_before_the_decision() -> None:
    world = World()
    world.work(4)
    await world.visit()
    world.work(6, connected=4, busy=1)
    world.dask.meanwhile = lambda: world.kube.put(Kind.WORKER_GROUP, worker_group(replicas=9))
    await world.visit()
    assert world.kube.told[:2] == ["SuccessfulRescale", "ScaledByOthers"]


async def test_a_number_set_in_the_moment_of_the_decision_is_not_overwritten_but_looked_at() -> None:
    world = World()
    world.work(4)
    await world.visit()
    world.work(6, connected=4, busy=1)
    world.kube.lag = True
    world.kube.put(Kind.WORKER_GROUP, worker_group(replicas=9))
    assert await world.visit() == 0.5
    assert world.kube.replicas() == 9
    assert world.kube.told == ["SuccessfulRescale"]
    world.kube.lag = False
    world.kube.put(Kind.WORKER_GROUP, world.kube.objects[Kind.WORKER_GROUP, "c-default"])
    await world.visit(0.5)
    assert world.kube.told[:2] == ["SuccessfulRescale", "ScaledByOthers"]


@pytest.mark.parametrize("edit", ["deleted", "suspended"])
async def test_an_autoscaler_that_is_taken_away_while_the_scheduler_is_asked_decides_nothing(
    edit: str,
) -> None:
    world = World()
    world.work(4)

    def happen() -> None:
        if edit == "deleted":
            world.store.autoscalers.drop(scaler())
        else:
            world.kube.put(Kind.AUTOSCALER, scaler(suspend=True))

    world.dask.meanwhile = happen
    await world.visit()
    assert world.kube.replicas() == 0
    assert world.kube.told == []


async def test_a_refused_change_is_told_and_tried_again() -> None:
    world = World()
    world.work(4)
    world.kube.refusal = Refused("not you")
    await world.visit()
    assert world.kube.condition("AbleToScale") == ("False", "FailedUpdateScale")
    assert world.kube.told == ["FailedRescale"]
    world.kube.refusal = None
    await world.visit()
    assert world.kube.replicas() == 4
    assert world.kube.condition("AbleToScale") == ("True", "ReadyForNewScale")


@pytest.mark.parametrize("reason", ["Unschedulable", "QuotaExceeded"])
async def test_a_group_that_cannot_be_placed_is_not_pushed_and_kubernetes_words_are_told(reason: str) -> None:
    world = World()
    group: dict[str, Any] = worker_group(replicas=2)
    group["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": reason, "message": "no room"}
    ]
    world.kube.put(Kind.WORKER_GROUP, group)
    world.work(8)
    await world.visit()
    assert world.kube.replicas() == 2
    assert world.kube.condition("ScalingLimited") == ("True", reason)
    told = world.kube.objects[Kind.AUTOSCALER, "c"]["status"]["conditions"][2]["message"]
    assert "no room" in told


async def test_threads_that_were_seen_are_remembered_for_the_next_wake() -> None:
    world = World(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    world.work(4)
    await world.visit()
    world.dask.target = 0
    world.dask.rows = tuple(row.__class__(**{**row.__dict__, "threads": 4}) for row in crowd(4))
    await world.visit()
    assert world.kube.replicas() == 0
    world.restart()
    world.work(8)
    await world.visit()
    assert world.kube.replicas() == 2


async def test_a_worker_that_does_not_come_does_not_stop_the_others_from_being_asked_for() -> None:
    world = World(maximum=100)
    world.work(3)
    await world.visit()
    world.work(3, connected=2, busy=1)
    await world.visit(20.0)
    assert world.kube.replicas() == 3
    world.work(60, connected=2, busy=60)
    await world.visit(1200.0)
    assert world.kube.replicas() == 60


async def test_a_start_that_took_hours_does_not_stop_a_group_from_growing() -> None:
    world = World(minimum=1, maximum=300)
    await world.visit()
    world.work(1, connected=1)
    await world.visit(10_000.0)
    world.work(240, connected=1, busy=240)
    await world.visit()
    assert world.kube.replicas() == 240


async def test_an_autoscaler_that_is_gone_meanwhile_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def gone(*_: object) -> None:
        raise Conflict("another uid")

    monkeypatch.setattr(world.kube, "write_status", gone)
    assert await world.visit() == 1.0


async def test_a_cluster_without_autoscalers_is_visited_no_more() -> None:
    world = World()
    world.store.autoscalers.drop(scaler())
    assert await world.visitor.visit(HOME) is None
