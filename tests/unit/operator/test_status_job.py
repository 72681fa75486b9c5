"""What people read of a job, and what its Pod and its cluster are made from."""

from typing import Any

import pytest
from dask_operator.desired.job import job_cluster, job_runner
from dask_operator.observed import PodView, Trouble
from dask_operator.plan.attempts import state_of
from dask_operator.plan.job import plan_job
from dask_operator.status import job_status
from dask_operator.status.conditions import Problem
from dask_operator_api.conditions import Outcome, Reason
from dask_operator_api.jobs import JobTemplate
from dask_operator_api.manifests import Manifest

from tests.unit.operator.job_worlds import (
    attempt,
    job,
    job_cluster_view,
    runner,
    service_of_job,
    status_of,
    verdict,
    world,
)
from tests.unit.operator.worlds import WALL

EMPTY: dict[str, Any] = {"cluster": None, "scheduler": None, "service": None}


def shown(
    of: Any, *pods: PodView, problem: Problem | None = None, stuck: Trouble | None = None, **parts: Any
) -> Manifest:
    seen = world(of, *pods, **parts)
    return job_status(seen, plan_job(seen), problem, stuck)


def reason(status: Manifest, kind: str = "Complete") -> tuple[str, str]:
    held = next(item for item in status["conditions"] if item["type"] == kind)
    return held["status"], held["reason"]


def test_the_words_of_a_job_that_goes_well() -> None:
    begins = shown(job(), **EMPTY)
    assert (begins["jobStatus"], reason(begins)) == ("JobCreated", ("False", "ClusterStarting"))
    starting = shown(job(status_of(attempt(started=0.0))), runner(1, "waiting"))
    assert (starting["jobStatus"], reason(starting)) == ("ClusterCreated", ("False", "RunnerStarting"))
    runs = shown(job(status_of(attempt())), runner())
    assert (runs["jobStatus"], reason(runs)) == ("Running", ("False", "ProgramRunning"))
    done = shown(job(status_of(attempt())), runner(1, "terminated"))
    assert (done["jobStatus"], reason(done)) == ("Successful", ("True", "Completed"))
    assert (done["clusterName"], done["jobRunnerPodName"]) == ("j", "j-runner")
    assert (done["startTime"], done["endTime"]) == ("2023-11-14T22:12:20Z", "2023-11-14T22:13:17Z")
    assert reason(done, "Failed") == ("False", "NotFailed")


def test_a_job_that_has_failed_says_so_in_both_conditions() -> None:
    of = job(status_of(attempt()), activeDeadlineSeconds=5)
    status = shown(of, runner())
    assert reason(status) == ("False", "DeadlineExceeded")
    assert reason(status, "Failed") == ("True", "DeadlineExceeded")
    assert status["jobStatus"] == "Failed"


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"problem": Problem(Reason.QUOTA_EXCEEDED, "exceeded quota")}, "QuotaExceeded"),
        ({"stuck": Trouble(Reason.CONTAINER_CREATING, "no such volume")}, "ContainerCreating"),
        ({"pod": {"why": "ImagePullBackOff"}}, "ImagePullFailed"),
        ({"cluster": {"type": "Ready", "reason": "ImagePullFailed"}}, "ImagePullFailed"),
        ({"cluster": {"type": "WorkersReady", "reason": "Unschedulable"}}, "Unschedulable"),
        ({"cluster": {"type": "WorkersReady", "reason": "WorkersStarting"}}, "RunnerStarting"),
    ],
    ids=str,
)
def test_what_is_in_the_way_of_a_job_is_the_reason_why_it_is_not_complete(parts: Manifest, why: str) -> None:
    told = [{"status": "False", "message": "words", **parts["cluster"]}] if "cluster" in parts else []
    cluster = job_cluster_view(status={"conditions": told})
    pod = runner(1, "waiting", **parts.get("pod", {}))
    of = job(status_of(attempt(started=0.0)))
    status = shown(of, pod, cluster=cluster, problem=parts.get("problem"), stuck=parts.get("stuck"))
    assert reason(status) == ("False", why)


def test_waiting_for_workers_says_how_many_there_are() -> None:
    of = job(status_of(attempt(runner_uid="", started=0.0)), startPolicy={"workers": 5})
    status = shown(of)
    assert reason(status) == ("False", "WaitingForWorkers")
    assert status["conditions"][0]["message"].startswith("2 of 5 workers")


def test_a_name_that_somebody_else_has_is_a_conflict_and_one_of_a_predecessor_is_waited_for() -> None:
    foreign = shown(job(), **{**EMPTY, "service": service_of_job(owner_kind="")})
    assert reason(foreign) == ("False", "NameConflict")
    passing = shown(job(), **{**EMPTY, "service": service_of_job()})
    assert reason(passing) == ("False", "ClearingAway")


def test_a_pause_says_how_the_last_attempt_ended_and_when_the_next_begins() -> None:
    past = attempt(outcome=Outcome.PROGRAM_FAILED, ended=WALL, message="exit code 1")
    status = shown(
        job(status_of(past, failures=1), backoffLimit=3), runner(1, "terminated", exit_code=1), **EMPTY
    )
    message = status["conditions"][0]["message"]
    assert reason(status) == ("False", "Retrying")
    assert "ProgramFailed" in message
    assert "2023-11-14T22:13:25Z" in message


def test_a_job_is_suspended_only_when_nothing_of_it_runs() -> None:
    past = attempt(outcome=Outcome.SUSPENDED, ended=WALL)
    of = job(status_of(past, active=None), suspend=True)
    assert reason(shown(of, runner(deleting=True), **EMPTY), "Suspended") == ("False", "Suspending")
    assert reason(shown(of, **{**EMPTY, "cluster": job_cluster_view()}), "Suspended") == (
        "False",
        "Suspending",
    )
    assert reason(shown(of, **EMPTY), "Suspended") == ("True", "JobSuspended")


def test_an_edit_after_the_start_is_told_and_a_default_of_a_newer_crd_is_not() -> None:
    held, edit = status_of(attempt()), {"priorityClassName": "high"}
    edited = job(held, pod=edit, metadata={"generation": 2})
    assert reason(shown(edited, runner()), "EditIgnored") == ("True", "StartedBefore")
    filled_in = job(held, pod=edit)
    assert reason(shown(filled_in, runner()), "EditIgnored") == ("False", "UpToDate")


def test_a_finished_job_keeps_its_status_to_the_last_byte() -> None:
    past = attempt(outcome=Outcome.SUCCEEDED, ended=WALL - 5, exit_code=0, log="bye")
    first = shown(job(status_of(past, conditions=verdict("Complete", "Completed", 5))), **EMPTY)
    assert shown(job(first), **EMPTY) == first
    assert state_of(job(first)).verdict == state_of(job(shown(job(first), **EMPTY))).verdict


# -- what is made

TEMPLATE = {
    "job": {
        "metadata": {"annotations": {"of": "template"}},
        "spec": {
            "containers": [
                {"name": "a", "env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://mine"}]},
                {"name": "b"},
            ],
            "initContainers": [{"name": "i"}],
        },
    },
    "cluster": {
        "metadata": {"labels": {"team": "blue"}},
        "spec": {"idleTimeout": 5, "worker": {"replicas": 2}},
    },
}


def addresses(pod: Manifest) -> list[str]:
    containers = [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
    return [env["value"] for c in containers for env in c["env"] if env["name"] == "DASK_SCHEDULER_ADDRESS"]


def test_every_container_of_a_runner_knows_the_scheduler_unless_it_says_otherwise() -> None:
    pod = job_runner(job(), JobTemplate.parse(TEMPLATE), 2, in_place=True)
    ours = "tcp://j-scheduler.ns.svc:8786"
    assert addresses(pod) == [ours, "tcp://mine", ours]
    assert pod["metadata"]["name"] == "j-runner-2"
    assert pod["metadata"]["labels"]["dask.org/component"] == "job-runner"


@pytest.mark.parametrize(
    ("written", "in_place", "run_as"),
    [
        (None, True, "OnFailure"),
        ("Always", True, "OnFailure"),
        ("OnFailure", True, "OnFailure"),
        ("Never", True, "Never"),
        (None, False, "Never"),
        ("OnFailure", False, "Never"),
    ],
)
def test_a_program_that_exits_0_stays_down_and_one_with_a_limit_is_not_started_in_place(
    written: str | None, in_place: bool, run_as: str
) -> None:
    spec = {"containers": [{"name": "a"}], **({"restartPolicy": written} if written else {})}
    pod = job_runner(job(), JobTemplate.parse({"job": {"spec": spec}}), 1, in_place)
    assert pod["spec"]["restartPolicy"] == run_as


def test_metadata_goes_from_the_job_to_its_runner_and_from_the_clusters_part_to_the_cluster() -> None:
    of = job(metadata={"annotations": {"of": "job", "note": "x", "kopf.zalando.org/y": "1"}})
    pod = job_runner(of, JobTemplate.parse(TEMPLATE), 1, in_place=True)
    kept = pod["metadata"]["annotations"]
    assert (kept["of"], kept["note"]) == ("template", "x")
    assert not [key for key in kept if "kopf" in key]
    made = job_cluster(of, JobTemplate.parse(TEMPLATE), 1)
    assert made["metadata"]["labels"] == {"team": "blue"}
    assert "note" not in made["metadata"]["annotations"]
    assert made["spec"] == TEMPLATE["cluster"]["spec"]
