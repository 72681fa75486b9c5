"""What is decided about a job: its attempts, how they end, and what stays of them."""

from dataclasses import replace

import pytest
from dask_operator.observed import PodView
from dask_operator.observed.pods import pod_view
from dask_operator.plan.attempts import KEPT, JobAttempt, state_of
from dask_operator.plan.cluster_world import Delete, Patch
from dask_operator.plan.job import plan_job
from dask_operator.plan.job_world import JobPlan, Refusal
from dask_operator_api.conditions import Outcome, Reason
from dask_operator_api.manifests import Manifest

from tests.unit.operator.job_worlds import (
    EMPTY,
    NEVER,
    attempt,
    created,
    deleted,
    failed,
    job,
    job_body,
    job_cluster_view,
    never_status,
    outcome,
    runner,
    runner_body,
    running,
    scheduler_pod,
    service_of_job,
    sign_of_life,
    stopped,
    verdict,
    world,
)
from tests.unit.operator.worlds import WALL

# -- the first attempt


def test_a_new_job_begins_its_first_attempt_with_a_cluster() -> None:
    plan = plan_job(world(job(), **EMPTY))
    assert created(plan) == ["DaskCluster j"]
    assert plan.state.active_since == WALL
    assert plan.state.present == JobAttempt(1, "j-runner", WALL)
    assert plan.state.copied == {"job": job_body()["spec"]["job"], "cluster": job_body()["spec"]["cluster"]}


def test_the_runner_follows_when_its_cluster_was_seen() -> None:
    begun = JobAttempt(1, "j-runner", WALL - 1)
    plan = plan_job(world(job(running(begun)), cluster=job_cluster_view(connected=0), scheduler=None))
    assert created(plan) == ["Pod j-runner"]
    assert plan.state.present is not None
    assert plan.state.present.cluster_uid == "job-cluster-uid"


def test_the_runner_waits_for_as_many_workers_as_the_user_says() -> None:
    begun = attempt(runner_uid="", started=0.0)
    of = job(running(begun), startPolicy={"workers": 2, "timeoutSeconds": 100})
    assert created(plan_job(world(of, cluster=job_cluster_view(connected=1)))) == []
    assert created(plan_job(world(of, cluster=job_cluster_view(connected=2)))) == ["Pod j-runner"]


@pytest.mark.parametrize(
    "held",
    [
        {**EMPTY, "cluster": job_cluster_view(owner="another-job")},
        {**EMPTY, "scheduler": scheduler_pod(owner="another-cluster")},
        {**EMPTY, "service": service_of_job(owner="another-cluster")},
        {**EMPTY, "service": service_of_job(owner_kind="")},
        {**EMPTY, "former": [runner(owner="another-job")]},
    ],
    ids=["cluster", "scheduler", "service", "foreign service", "runner"],
)
def test_nothing_is_made_while_anything_of_a_predecessor_has_a_name(held: Manifest) -> None:
    plan = plan_job(world(job(), **held))
    assert created(plan) == []
    assert deleted(plan) == []
    assert plan.waits_for


def test_a_predecessor_s_runner_that_no_node_ends_is_deleted_by_force() -> None:
    stuck = replace(runner(owner="another-job", deleting=True), deadline=WALL - 61)
    plan = plan_job(world(job(), **{**EMPTY, "former": [stuck]}))
    [act] = plan.acts
    assert isinstance(act, Delete)
    assert (act.view, act.at_once) == (stuck, True)


def test_what_another_operator_had_begun_is_taken_over_as_the_first_attempt() -> None:
    cluster = job_cluster_view()
    cluster.metadata.annotations.clear()  # type: ignore[attr-defined]
    seen = world(job(), runner(), cluster=cluster)
    begun = plan_job(seen)
    assert begun.acts == ()
    later = world(job({**running(*begun.state.attempts), "startTime": None}), runner(), cluster=cluster)
    plan = plan_job(later)
    assert plan.acts == ()
    assert plan.state.present is not None
    assert plan.state.present.runner_uid == "runner-uid-1"


@pytest.mark.parametrize("word", ["Successful", "Failed"])
def test_what_ended_under_another_operator_does_not_run_again(word: str) -> None:
    plan = plan_job(world(job({"jobStatus": word}), runner(1, "terminated"), **EMPTY))
    assert plan.acts == ()
    assert plan.state.verdict is not None
    assert plan.state.verdict.complete == (word == "Successful")


# -- how an attempt ends


def test_a_program_that_exits_0_completes_the_job_and_its_cluster_goes() -> None:
    plan = plan_job(world(job(running()), runner(1, "terminated")))
    assert plan.state.verdict is not None
    assert (plan.state.verdict.complete, plan.state.verdict.reason) == (True, Reason.COMPLETED)
    assert deleted(plan) == ["DaskCluster j"]
    assert plan.state.last is not None
    assert (plan.state.last.exit_code, plan.state.last.ended) == (0, WALL - 3)


@pytest.mark.parametrize(
    "trouble",
    [
        {"cluster": None},
        {"scheduler": None},
        {"cluster": job_cluster_view(deleting=True)},
        {"scheduler": scheduler_pod(uid="another")},
    ],
    ids=str,
)
def test_a_program_that_exits_0_has_succeeded_whatever_else_happened(trouble: Manifest) -> None:
    plan = plan_job(world(job(running()), runner(1, "terminated"), **trouble))
    assert outcome(plan) is Outcome.SUCCEEDED


def test_a_first_failure_is_the_end_where_the_template_says_never() -> None:
    seen = world(job(never_status(), pod=NEVER), failed(), roster=sign_of_life())
    plan = plan_job(seen)
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.PROGRAM_FAILED
    assert deleted(plan) == ["DaskCluster j"]


def test_a_failure_within_the_limit_gets_another_attempt_on_a_fresh_cluster_after_a_pause() -> None:
    of = job(running(), backoffLimit=1)
    plan = plan_job(world(of, failed(), roster=sign_of_life()))
    assert plan.state.verdict is None
    assert (outcome(plan), plan.state.failures) == (Outcome.PROGRAM_FAILED, 1)
    assert deleted(plan) == ["DaskCluster j"]
    ended = attempt(outcome=Outcome.PROGRAM_FAILED, ended=WALL - 3)
    waiting = plan_job(world(job(running(ended, failures=1), backoffLimit=1), failed(), **EMPTY))
    assert waiting.state.present is None
    assert waiting.again == pytest.approx(2.0)
    over = replace(ended, ended=WALL - 5)
    again = plan_job(world(job(running(over, failures=1), backoffLimit=1), failed(), **EMPTY))
    assert created(again) == ["DaskCluster j"]
    assert again.state.present is not None
    assert again.state.present.runner == "j-runner-2"


def test_the_pause_doubles_with_each_failure_up_to_five_minutes() -> None:
    def pause(failures: int) -> float:
        past = [attempt(n, outcome=Outcome.PROGRAM_FAILED, ended=WALL) for n in range(1, failures + 1)]
        of = job(running(*past[-KEPT:], failures=failures), backoffLimit=99)
        again = plan_job(world(of, **EMPTY)).again
        assert again is not None
        return again

    assert [pause(n) for n in (1, 2, 3, 7, 40)] == [5.0, 10.0, 20.0, 300.0, 300.0]


def test_one_failure_more_than_the_limit_is_the_end() -> None:
    of = job(running(attempt(2), failures=1), backoffLimit=1)
    seen = world(of, runner(2, "terminated", exit_code=3), cluster=job_cluster_view(2), roster=sign_of_life())
    plan = plan_job(seen)
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.BACKOFF_LIMIT_EXCEEDED
    assert "failed 2 times" in plan.state.verdict.message


def test_a_program_that_is_started_again_in_its_pod_goes_on() -> None:
    plan = plan_job(world(job(running()), runner(1, "waiting", restarts=3, last_exit=7, policy="OnFailure")))
    assert plan.state.present is not None
    assert (plan.state.present.restarts, plan.state.present.exit_code) == (3, 7)
    assert plan.acts == ()


def test_a_pod_whose_own_time_is_up_has_failed_even_if_it_would_be_started_again() -> None:
    ended = failed(reason="DeadlineExceeded", policy="OnFailure")
    plan = plan_job(world(job(running()), ended))
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.PROGRAM_FAILED


def test_a_runner_whose_labels_somebody_took_away_gets_them_back() -> None:
    body = runner_body()
    body["metadata"]["labels"] = {"team": "blue"}
    [act] = plan_job(world(job(running()), pod_view(body))).acts
    assert isinstance(act, Patch)
    labels = {"dask.org/cluster-name": "j", "dask.org/component": "job-runner"}
    assert act.body == {"metadata": {"uid": "runner-uid-1", "labels": labels}}


# -- what the user limits


def test_a_job_is_over_at_its_deadline_and_its_runner_is_stopped_with_its_log() -> None:
    plan = plan_job(world(job(running(), activeDeadlineSeconds=100), runner()))
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.DEADLINE_EXCEEDED
    assert stopped(plan) == ["j-runner"]
    assert deleted(plan) == ["DaskCluster j"]
    assert plan_job(world(job(running(), activeDeadlineSeconds=101), runner())).again == pytest.approx(1.0)


def test_a_deadline_ends_a_pause_between_attempts_too() -> None:
    past = attempt(outcome=Outcome.PROGRAM_FAILED, ended=WALL - 1)
    of = job(running(past, failures=1), backoffLimit=3, activeDeadlineSeconds=100)
    plan = plan_job(world(of, failed(), **EMPTY))
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("state", ["none", "waiting"])
def test_a_program_that_does_not_run_in_time_ends_the_job_where_the_user_says_so(state: str) -> None:
    of = job(running(attempt(started=0.0)), startPolicy={"timeoutSeconds": 70})
    plan = plan_job(world(of, runner(1, state)))
    assert plan.state.verdict is not None
    assert plan.state.verdict.reason is Reason.START_TIMEOUT
    assert set(deleted(plan)) == {"DaskCluster j", "Pod j-runner"}


def test_what_the_api_server_will_never_take_ends_the_job_with_its_words() -> None:
    begun = attempt(runner_uid="", started=0.0)
    refused = Refusal(Reason.POD_REFUSED, "spec.containers: Required value")
    plan = plan_job(world(job(running(begun)), refused=refused))
    assert plan.state.verdict is not None
    assert (plan.state.verdict.reason, plan.state.verdict.message) == (refused.reason, refused.message)
    assert created(plan) == []


# -- suspended


def test_a_suspended_job_gives_up_its_pods_and_begins_anew_when_it_is_resumed() -> None:
    plan = plan_job(world(job(running(), suspend=True), runner()))
    assert (outcome(plan), plan.state.active_since) == (Outcome.SUSPENDED, None)
    assert set(deleted(plan)) == {"DaskCluster j", "Pod j-runner"}
    past = running(*plan.state.attempts, active=None)
    assert plan_job(world(job(past, suspend=True), **EMPTY)).acts == ()
    edited = job(past, pod={"priorityClassName": "high"}, metadata={"generation": 3})
    resumed = plan_job(world(edited, **EMPTY))
    assert resumed.state.present is not None
    assert (resumed.state.present.number, resumed.state.active_since) == (2, WALL)
    assert resumed.state.template.pod["priorityClassName"] == "high"
    assert created(resumed) == ["DaskCluster j"]


def test_a_resumed_job_waits_until_its_old_runner_is_gone() -> None:
    past = attempt(outcome=Outcome.SUSPENDED, ended=WALL)
    plan = plan_job(world(job(running(past, active=None)), runner(deleting=True), **EMPTY))
    assert created(plan) == []
    assert plan.waits_for == "Pod j-runner"


def test_a_job_that_is_created_suspended_makes_nothing() -> None:
    plan = plan_job(world(job(suspend=True), **EMPTY))
    assert (plan.acts, plan.state.attempts, plan.state.active_since) == ((), (), None)


# -- what stays


def test_a_job_that_has_ended_stays_ended() -> None:
    past = attempt(outcome=Outcome.DEADLINE_EXCEEDED, ended=WALL - 10)
    status = running(past, conditions=verdict("Failed", "DeadlineExceeded"))
    for pod in (runner(1, "terminated"), runner(1, "terminated", exit_code=1)):
        plan = plan_job(world(job(status), pod, **EMPTY))
        assert plan.state.verdict is not None
        assert plan.state.verdict.reason is Reason.DEADLINE_EXCEEDED
        assert plan.acts == ()


@pytest.mark.parametrize(("kind", "when"), [("Complete", "onSuccess"), ("Failed", "onFailure")])
def test_a_cluster_is_kept_for_as_long_as_the_policy_says(kind: str, when: str) -> None:
    past = attempt(outcome=Outcome.SUCCEEDED, ended=WALL - 10)
    policy = {when: {"keepClusterSeconds": 60}}

    def plan(ago: float) -> JobPlan:
        status = running(past, conditions=verdict(kind, "Completed", ago))
        return plan_job(world(job(status, cleanupPolicy=policy), runner(1, "terminated")))

    assert (plan(50).acts, plan(50).again) == ((), 10.0)
    assert deleted(plan(60)) == ["DaskCluster j"]


def test_a_job_is_deleted_when_its_time_is_over_and_not_before() -> None:
    past = attempt(outcome=Outcome.SUCCEEDED, ended=WALL - 10)

    def plan(ago: float) -> JobPlan:
        status = running(past, conditions=verdict("Complete", "Completed", ago))
        return plan_job(world(job(status, ttlSecondsAfterFinished=30), runner(1, "terminated"), **EMPTY))

    assert (plan(20).acts, plan(20).again) == ((), 10.0)
    assert deleted(plan(30)) == ["DaskJob j"]


def stopping(pod: PodView, ago: float) -> JobPlan:
    past = attempt(outcome=Outcome.SCHEDULER_LOST, ended=WALL - ago)
    status = running(past, conditions=verdict("Failed", "DeadlineExceeded", ago))
    return plan_job(world(job(status), pod, **EMPTY))


def test_a_runner_that_its_node_does_not_stop_is_deleted() -> None:
    assert stopping(runner(limit=1), 60).acts == ()
    assert deleted(stopping(runner(limit=1), 121)) == ["Pod j-runner"]


def test_other_containers_of_a_runner_get_a_moment_when_the_program_has_ended() -> None:
    assert stopping(runner(1, "terminated", phase="Running", ago=10), 10).again == 20.0
    assert stopped(stopping(runner(1, "terminated", phase="Running", ago=40), 40)) == ["j-runner"]


def test_only_the_last_attempts_are_remembered_and_their_pods_kept() -> None:
    past = [attempt(n, outcome=Outcome.PROGRAM_FAILED, ended=WALL - 900) for n in range(1, KEPT + 1)]
    pods = [runner(n, "terminated", exit_code=1) for n in range(1, KEPT + 1)]
    plan = plan_job(world(job(running(*past, failures=KEPT), backoffLimit=20), *pods, **EMPTY))
    assert [one.number for one in plan.state.attempts] == list(range(2, KEPT + 2))
    assert deleted(plan) == ["Pod j-runner"]


def test_the_exit_code_of_a_stopped_program_is_filled_in_when_it_has_ended() -> None:
    past = attempt(outcome=Outcome.SCHEDULER_LOST, ended=WALL - 10)
    plan = plan_job(world(job(running(past)), runner(1, "terminated", exit_code=143), **EMPTY))
    assert plan.state.attempts[0].exit_code == 143


def test_an_attempt_is_read_as_it_was_written() -> None:
    for one in (
        attempt(),
        attempt(2, outcome=Outcome.RUNNER_LOST, ended=WALL, message="gone", log="a\nb", exit_code=137),
        JobAttempt(3, "j-runner-3", WALL),
        attempt(4, shut_down=True, restarts=2, scheduler_restarts=1),
    ):
        [read] = state_of(job(running(one))).attempts
        assert read.as_status() == one.as_status()
        assert replace(read, log=None) == replace(one, log=None)
