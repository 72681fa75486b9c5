"""What the platform takes from a job, told from the failures of its program."""

from dataclasses import replace
from typing import Any

import pytest
from dask_operator.observed import PodView
from dask_operator.plan.attempts import JobAttempt
from dask_operator.plan.job import plan_job
from dask_operator.plan.job_scheduler import SILENT_SECONDS, VERDICT_SECONDS
from dask_operator.plan.job_world import JobObserved, JobPlan
from dask_operator_api.conditions import Outcome, Reason
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from tests.unit.operator.job_worlds import (
    EMPTY,
    NEVER,
    SCHEDULER_UID,
    attempt,
    deleted,
    failed,
    job,
    job_cluster_view,
    never_status,
    outcome,
    runner,
    running,
    scheduler_pod,
    sign_of_life,
    stopped,
    world,
)
from tests.unit.operator.worlds import WALL


def lost(seen: JobObserved, as_what: Outcome) -> JobPlan:
    plan = plan_job(seen)
    assert (outcome(plan), plan.state.failures, plan.state.verdict) == (as_what, 0, None)
    return plan


def test_a_runner_that_is_gone_is_lost_and_does_not_count() -> None:
    plan = lost(world(job(never_status(), pod=NEVER)), Outcome.RUNNER_LOST)
    assert deleted(plan) == ["DaskCluster j"]


@pytest.mark.parametrize(
    "parts",
    [
        {"deleting": True},
        {"reason": "Evicted"},
        {"reason": "OutOfcpu"},
        {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]},
    ],
    ids=str,
)
def test_a_runner_that_the_platform_ended_is_lost_and_does_not_count(parts: Manifest) -> None:
    lost(world(job(never_status(), pod=NEVER), failed(**parts)), Outcome.RUNNER_LOST)


def test_a_runner_that_is_being_deleted_may_still_end_well() -> None:
    plan = plan_job(world(job(running()), runner(deleting=True)))
    assert outcome(plan) is None
    plan = plan_job(world(job(running()), runner(1, "terminated", deleting=True)))
    assert outcome(plan) is Outcome.SUCCEEDED


SCHEDULER_TROUBLE = [
    {"scheduler": None},
    {"scheduler": scheduler_pod(uid="another", age=10)},
    {"scheduler": scheduler_pod(deleting=True)},
    {"scheduler": scheduler_pod(restarts=1, age=10)},
    {"scheduler": scheduler_pod("terminated", exit_code=137)},
    {"scheduler": scheduler_pod("waiting", last_exit=137)},
]


@pytest.mark.parametrize("trouble", SCHEDULER_TROUBLE)
def test_a_lost_scheduler_ends_the_attempt_and_the_runner_is_stopped_with_its_log(trouble: Manifest) -> None:
    plan = lost(world(job(running()), runner(), **trouble), Outcome.SCHEDULER_LOST)
    assert stopped(plan) == ["j-runner"]
    assert deleted(plan) == ["DaskCluster j"]


@pytest.mark.parametrize("trouble", SCHEDULER_TROUBLE)
def test_a_failure_after_the_loss_of_the_scheduler_does_not_count(trouble: Manifest) -> None:
    lost(world(job(never_status(), pod=NEVER), failed(), **trouble), Outcome.SCHEDULER_LOST)


def test_a_scheduler_that_a_client_has_shut_down_is_no_loss() -> None:
    shut = scheduler_pod("terminated", exit_code=0)
    seen = plan_job(world(job(running()), runner(), scheduler=shut))
    assert seen.state.present is not None
    assert seen.state.present.shut_down
    later = world(
        job(running(seen.state.present)),
        runner(),
        scheduler=scheduler_pod(uid="another", age=1),
        cluster=None,
    )
    assert outcome(plan_job(later)) is None
    told = job_cluster_view(status={"scheduler": {"endedWellUID": "job-scheduler-uid"}})
    assert outcome(plan_job(world(job(running()), runner(), cluster=told, scheduler=None))) is None


def test_a_cluster_that_ends_for_want_of_work_before_its_program_runs_is_lost() -> None:
    ended = scheduler_pod("terminated", exit_code=0)
    begun = attempt(started=0.0)
    plan = plan_job(world(job(running(begun)), runner(1, "waiting"), scheduler=ended))
    assert plan.state.present is not None
    assert not plan.state.present.shut_down
    gone = job(running(plan.state.present))
    lost(world(gone, runner(1, "waiting"), scheduler=None, cluster=None), Outcome.CLUSTER_LOST)


@pytest.mark.parametrize("why", [{"deleting": True}, {"phase": "Failed", "reason": "Evicted"}])
def test_a_scheduler_that_ends_well_because_the_platform_told_it_to_is_a_loss(why: Manifest) -> None:
    seen = world(job(running()), runner(), scheduler=scheduler_pod("terminated", exit_code=0, **why))
    lost(seen, Outcome.SCHEDULER_LOST)


def test_a_scheduler_that_follows_one_that_was_shut_down_can_be_lost() -> None:
    shut = attempt(shut_down=True)
    anew = runner(age=40, restarts=1, last_exit=1)
    plan = plan_job(world(job(running(shut)), anew, scheduler=scheduler_pod(uid="another", age=50)))
    assert plan.state.present is not None
    assert not plan.state.present.shut_down
    lost(world(job(running(plan.state.present)), anew, scheduler=None), Outcome.SCHEDULER_LOST)


NEW = scheduler_pod(age=10)


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        (None, {"podUID": SCHEDULER_UID}),
        (NEW, {"podUID": "another"}),
        (NEW, {"lost": [rfc3339(WALL - 9)]}),
        (scheduler_pod(deleting=True), {}),
        (scheduler_pod("terminated", phase="Failed", reason="Evicted"), {}),
    ],
)
def test_a_scheduler_that_is_lost_before_anybody_saw_it_ready_is_lost_all_the_same(
    scheduler: PodView | None, told: Manifest
) -> None:
    begun = attempt(scheduler_uid="")
    parts = {"scheduler": scheduler, "cluster": job_cluster_view(status={"scheduler": told})}
    lost(world(job(never_status(begun), pod=NEVER), failed(), **parts), Outcome.SCHEDULER_LOST)
    lost(world(job(running(begun)), runner(), **parts), Outcome.SCHEDULER_LOST)


def test_a_scheduler_lost_before_the_program_started_is_not_the_programs() -> None:
    told = job_cluster_view(status={"scheduler": {"lost": [rfc3339(WALL - 65)], "podUID": SCHEDULER_UID}})
    begun = attempt(scheduler_uid="")
    plan = plan_job(world(job(running(begun)), runner(), cluster=told))
    assert plan.state.present is not None
    assert plan.state.present.scheduler_uid == SCHEDULER_UID


def test_a_scheduler_that_was_there_before_the_program_started_anew_is_its_scheduler() -> None:
    new = scheduler_pod(uid="another", age=50)
    plan = plan_job(world(job(running()), runner(age=40, restarts=1, last_exit=1), scheduler=new))
    assert plan.state.present is not None
    assert plan.state.present.scheduler_uid == "another"


def test_a_scheduler_lost_before_the_program_started_is_no_loss() -> None:
    begun = attempt(started=0.0)
    plan = plan_job(world(job(running(begun)), runner(1, "waiting"), scheduler=None))
    assert outcome(plan) is None


@pytest.mark.parametrize("cluster", [None, job_cluster_view(deleting=True), job_cluster_view(uid="another")])
def test_a_cluster_that_somebody_deletes_ends_the_attempt(cluster: Any) -> None:
    lost(world(job(running()), runner(), cluster=cluster), Outcome.CLUSTER_LOST)


def test_losses_get_another_attempt_at_once_at_first_and_then_with_pauses() -> None:
    def pause(losses: int) -> float | None:
        past = [attempt(n, outcome=Outcome.RUNNER_LOST, ended=WALL) for n in range(1, losses + 1)]
        plan = plan_job(world(job(running(*past)), **EMPTY))
        return plan.again if plan.state.present is None else 0.0

    assert [pause(n) for n in (1, 2, 3, 4)] == [0.0, 0.0, 5.0, 20.0]


# -- a failure is judged when the scheduler has given a sign of life


def test_a_failure_waits_for_a_sign_of_life_of_the_scheduler() -> None:
    seen = world(job(never_status(), pod=NEVER), failed(ago=3))
    plan = plan_job(seen)
    assert (outcome(plan), plan.ask, plan.acts) == (None, True, ())
    early = plan_job(replace(seen, roster=sign_of_life(age=2.5)))
    assert (outcome(early), early.ask) == (None, True)
    assert outcome(plan_job(replace(seen, roster=sign_of_life(age=1.5)))) is Outcome.PROGRAM_FAILED


def test_a_scheduler_that_never_answers_is_not_waited_for_longer_than_the_limit() -> None:
    seen = world(job(never_status(), pod=NEVER), failed(ago=VERDICT_SECONDS))
    assert outcome(plan_job(seen)) is Outcome.PROGRAM_FAILED


def test_a_scheduler_that_has_answered_before_is_waited_for_until_its_node_can_be_known_to_be_gone() -> None:
    of = job(never_status(), pod=NEVER)
    silent = replace(sign_of_life(age=1), problem="timed out")
    seen = world(of, failed(ago=VERDICT_SECONDS), roster=silent, heard=True)
    assert outcome(plan_job(seen)) is None
    lost(replace(seen, scheduler=scheduler_pod(ready=False)), Outcome.SCHEDULER_LOST)
    assert outcome(plan_job(world(of, failed(ago=SILENT_SECONDS), roster=silent, heard=True))) is (
        Outcome.PROGRAM_FAILED
    )


def test_a_program_that_fails_before_it_had_a_scheduler_has_failed() -> None:
    begun = attempt(scheduler_uid="")
    seen = world(job(never_status(begun), pod=NEVER), failed(), scheduler=None)
    assert outcome(plan_job(seen)) is Outcome.PROGRAM_FAILED


def test_a_program_that_had_succeeded_when_its_attempt_was_given_up_does_not_run_again() -> None:
    def late(outcome: Outcome, **parts: Any) -> JobPlan:
        past = attempt(outcome=outcome, ended=WALL - 2)
        begun = JobAttempt(2, "j-runner-2", WALL)
        return plan_job(world(job(running(past, begun)), runner(1, "terminated", **parts), **EMPTY))

    for found in (Outcome.SCHEDULER_LOST, Outcome.CLUSTER_LOST, Outcome.SUSPENDED):
        plan = late(found)
        assert plan.state.verdict is not None
        assert plan.state.verdict.reason is Reason.COMPLETED
        assert [past.outcome for past in plan.state.attempts] == [Outcome.SUCCEEDED]
    told_to_stop = late(Outcome.SCHEDULER_LOST, phase="Failed", reason="DeadlineExceeded", limit=1)
    assert told_to_stop.state.verdict is None
    assert late(Outcome.SUSPENDED, deleting=True).state.verdict is None
    assert late(Outcome.PROGRAM_FAILED).state.verdict is None
