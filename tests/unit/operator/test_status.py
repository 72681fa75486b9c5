"""What is written into ``status``: conditions, counts, phases."""

from typing import Any

import pytest
from dask_operator import __version__
from dask_operator.observed import ClusterView
from dask_operator.plan.cluster import plan_cluster
from dask_operator.plan.cluster_world import ClusterObserved
from dask_operator.plan.group import plan_group
from dask_operator.status import Told, cluster_status, group_status, waiting_status
from dask_operator.status.conditions import SILENCE_SECONDS, Problem, first_trouble, news
from dask_operator_api.conditions import Condition, ConditionType, Reason, merged
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operator.worlds import (
    DEFAULTS,
    WALL,
    cluster,
    group,
    observed,
    owned_by,
    process,
    roster,
    scheduler,
    service,
    silence,
    worker,
)


def condition(status: Manifest, kind: str) -> Manifest:
    return next(item for item in status["conditions"] if item["type"] == kind)


def status_of(of: ClusterView, problem: Problem | None = None, **parts: Any) -> Manifest:
    """The status of a cluster in its world: nothing there, unless said otherwise."""
    seen = ClusterObserved(
        cluster=of,
        scheduler=parts.get("scheduler"),
        service=parts.get("service"),
        groups=parts.get("groups", ()),
        workers=parts.get("workers", ()),
        roster=parts.get("roster"),
        wall=WALL,
    )
    return cluster_status(seen, plan_cluster(seen, DEFAULTS), Told(problem))


# -- conditions


@given(st.booleans(), st.booleans(), st.sampled_from(list(Reason)), st.integers(0, 10_000))
def test_a_transition_time_changes_with_the_status_only(
    was: bool, now: bool, reason: Reason, later: int
) -> None:
    first = merged({}, [Condition(ConditionType.READY, was, Reason.ALL_READY, "a")], 1, WALL)
    second = merged(
        {"conditions": first}, [Condition(ConditionType.READY, now, reason, "b")], 2, WALL + later
    )
    expected = WALL if was == now else WALL + later
    assert second[0]["lastTransitionTime"] == rfc3339(expected)
    assert (second[0]["reason"], second[0]["message"], second[0]["observedGeneration"]) == (
        reason.value,
        "b",
        2,
    )


def test_a_long_message_is_cut_to_what_the_api_server_takes() -> None:
    (made,) = merged({}, [Condition(ConditionType.READY, False, Reason.POD_REFUSED, "x" * 40_000)], 1, WALL)
    assert len(made["message"]) <= 32_768


def test_the_same_trouble_of_many_pods_is_told_once_with_their_number() -> None:
    pods = [worker(n, "terminated", exit_code=1, phase="Running") for n in (1, 2, 3)]
    trouble = first_trouble(pods)
    assert trouble is not None
    assert trouble.reason == Reason.CONTAINER_FAILED
    assert "(and 2 more Pods)" in trouble.message


# -- a cluster


def test_a_new_cluster_is_created_and_nothing_of_it_is_ready() -> None:
    status = status_of(cluster(spec={"worker": {"replicas": 2}}))
    assert status["phase"] == "Created"
    assert {kind["type"]: kind["status"] for kind in status["conditions"]} == {
        "Ready": "False",
        "WorkersReady": "False",
        "WorkersConnected": "False",
        "RestartPending": "False",
    }
    assert status["workers"]["summary"] == "0/2"


def test_a_cluster_is_ready_with_its_scheduler_even_without_workers() -> None:
    of = cluster(spec={"worker": {"replicas": 0}})
    status = status_of(of, scheduler=scheduler(), service=service(of), groups=(group(replicas=0),))
    assert status["phase"] == "Running"
    assert condition(status, "Ready")["status"] == "True"
    assert condition(status, "WorkersReady")["status"] == "True"
    assert status["schedulerAddress"] == "tcp://c-scheduler.ns.svc:8786"
    assert status["operatorVersion"] == __version__


def test_a_scheduler_pod_without_its_service_is_not_ready() -> None:
    status = status_of(cluster(), scheduler=scheduler())
    assert condition(status, "Ready")["reason"] == "SchedulerStarting"
    assert status["phase"] == "Pending"


def test_what_the_api_server_refused_is_told_in_its_own_words() -> None:
    status = status_of(cluster(), Problem(Reason.POD_REFUSED, "spec.containers[0].image: Required value"))
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Error", "PodRefused")
    assert condition(status, "Ready")["message"] == "spec.containers[0].image: Required value"


def test_a_name_that_is_taken_is_an_error_with_a_way_out() -> None:
    status = status_of(cluster(), scheduler=scheduler(owner="x", owner_kind="Job"))
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Error", "NameConflict")
    assert "delete it, or rename the cluster" in condition(status, "Ready")["message"]


def test_an_old_scheduler_on_its_way_out_is_waited_for() -> None:
    status = status_of(cluster(), scheduler=scheduler(deleting=True))
    assert condition(status, "Ready")["status"] == "False"
    assert "old scheduler Pod c-scheduler" in condition(status, "Ready")["message"]


def test_workers_of_all_groups_count_and_replicas_are_those_of_the_default_group() -> None:
    extra = group("extra", 1, uid="extra-uid")
    workers = (
        worker(1),
        worker(2, "waiting"),
        worker(1, group="extra", group_uid="extra-uid", ip="10.0.1.1"),
    )
    status = status_of(
        cluster(),
        scheduler=scheduler(),
        groups=(group(replicas=2), extra),
        workers=workers,
        roster=roster(process(workers[0])),
    )
    assert status["workers"] == {"desired": 3, "ready": 2, "connected": 1, "summary": "2/3"}
    assert status["replicas"] == 2


@pytest.mark.parametrize(
    ("uid", "restarts", "total"),
    [("scheduler-uid", 1, 4), ("scheduler-uid", 2, 5), ("another", 0, 5), ("another", 1, 6)],
)
def test_every_new_life_of_the_scheduler_is_counted(uid: str, restarts: int, total: int) -> None:
    before = {"podUID": "scheduler-uid", "containerRestarts": 1, "restarts": 4}
    status = status_of(cluster(status={"scheduler": before}), scheduler=scheduler(uid=uid, restarts=restarts))
    assert status["scheduler"]["restarts"] == total
    again = status_of(cluster(status=status), scheduler=scheduler(uid=uid, restarts=restarts))
    assert again["scheduler"] == status["scheduler"]


def test_a_missing_scheduler_keeps_its_count() -> None:
    before = {"podUID": "gone", "containerRestarts": 0, "restarts": 4}
    assert status_of(cluster(status={"scheduler": before}))["scheduler"]["restarts"] == 4


def test_what_keeps_a_group_from_its_pods_is_told_by_the_cluster() -> None:
    refused = {"type": "Ready", "status": "False", "reason": "QuotaExceeded", "message": "exceeded quota"}
    status = status_of(cluster(), scheduler=scheduler(), groups=(group(status={"conditions": [refused]}),))
    told = condition(status, "WorkersReady")
    assert (told["reason"], told["message"]) == ("QuotaExceeded", "group c-default: exceeded quota")


def test_a_reason_of_another_program_in_a_group_does_not_stop_the_cluster() -> None:
    strange = {"type": "Ready", "status": "False", "reason": "SomethingElse", "message": "m"}
    status = status_of(cluster(), scheduler=scheduler(), groups=(group(status={"conditions": [strange]}),))
    assert condition(status, "WorkersReady")["status"] == "False"


def test_the_same_world_gives_the_same_status() -> None:
    parts: dict[str, Any] = {"scheduler": scheduler(), "groups": (group(),), "workers": (worker(1),)}
    first = status_of(cluster(), **parts)
    assert status_of(cluster(status=first), **parts) == first


# -- connections


def test_ready_workers_that_the_scheduler_does_not_know_are_told_after_half_a_minute() -> None:
    for age, reason in ((10, "Connecting"), (60, "NotConnecting")):
        lonely = worker(1, age=age)
        seen = observed(group(), lonely, roster=roster())
        told = condition(group_status(seen, plan_group(seen), None), "WorkersConnected")
        assert (told["status"], told["reason"]) == ("False", reason)
        assert lonely.name in told["message"]


def test_while_nobody_knows_who_is_connected_the_last_word_stands() -> None:
    known = observed(group(), worker(1))
    before = group_status(known, plan_group(known), None)
    unknown = observed(group(status=before), worker(1), roster=None)
    after = group_status(unknown, plan_group(unknown), None)
    assert condition(after, "WorkersConnected") == condition(before, "WorkersConnected")
    assert after["workers"] == before["workers"]


def test_without_an_answer_no_image_is_suspected() -> None:
    seen = observed(group(), worker(1), roster=None)
    told = condition(group_status(seen, plan_group(seen), None), "WorkersConnected")
    assert told["reason"] != "NotConnecting"


def test_a_scheduler_that_does_not_answer_is_named_as_the_cause_when_it_should_have_started() -> None:
    for age in (SILENCE_SECONDS - 1, SILENCE_SECONDS):
        seen = observed(group(), worker(1, age=age), roster=silence(problem="no route to host"))
        told = condition(group_status(seen, plan_group(seen), None), "WorkersConnected")
        assert ("no route to host" in told["message"]) is (age >= SILENCE_SECONDS)


# -- a group


def test_a_group_without_a_cluster_waits_for_it() -> None:
    status = waiting_status(group(replicas=3), Reason.CLUSTER_NOT_FOUND, "no cluster c", WALL)
    assert condition(status, "Ready")["reason"] == "ClusterNotFound"
    assert status["workers"]["summary"] == "0/3"


def test_drains_and_numbers_are_in_the_status_before_they_are_acted_on() -> None:
    seen = observed(group(replicas=1), worker(1), worker(2))
    plan = plan_group(seen)
    status = group_status(seen, plan, None)
    assert {item["uid"] for item in status["draining"]} == {pod.uid for pod in plan.retire}
    grown = observed(group(replicas=4), worker(1))
    assert group_status(grown, plan_group(grown), None)["lastWorkerIndex"] == 4


def test_a_group_is_ready_while_more_workers_than_wanted_are_leaving() -> None:
    seen = observed(group(replicas=1), worker(1), worker(2))
    status = group_status(seen, plan_group(seen), None)
    assert condition(status, "Ready")["status"] == "True"
    assert (status["replicas"], status["readyReplicas"]) == (2, 2)


def test_a_group_of_another_owner_does_not_count_for_the_cluster() -> None:
    foreign = group("extra", 5, metadata={"ownerReferences": owned_by("DaskCluster", "another-uid")})
    status = status_of(cluster(), groups=(group(replicas=1), foreign))
    assert status["workers"]["desired"] == 1


# -- news


def held(reason: str, status: str = "False", message: str = "words", kind: str = "Ready") -> Manifest:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


def test_trouble_is_news_when_it_begins_and_not_while_it_lasts() -> None:
    assert news({}, held("CrashLoop")) == [("CrashLoop", "words")]
    assert news(held("AllReady", "True"), held("CrashLoop")) == [("CrashLoop", "words")]
    assert news(held("CrashLoop"), held("OOMKilled")) == [("OOMKilled", "words")]
    assert news(held("CrashLoop"), held("CrashLoop", message="other words")) == []


def test_what_is_on_its_way_or_well_is_no_news() -> None:
    assert news({}, held("WorkersStarting")) == news(held("CrashLoop"), held("AllReady", "True")) == []


def test_the_end_of_a_namespace_is_no_news() -> None:
    message = "pods is forbidden: unable to create new content in namespace n because it is being terminated"
    assert news({}, held("PodRefused", message=message)) == []
