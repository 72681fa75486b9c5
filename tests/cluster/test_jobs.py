"""Jobs on the real cluster: whatever happens, they end as they should and leave what they should."""

import functools
import json
import time
from pathlib import Path

import pytest

from tests.support.dask import condition, event_reasons
from tests.support.jobs import dask_job, ended, job, left, not_yet, only_left, outcomes
from tests.support.kubectl import Tree, apply, eventually, get, kubectl, list_objects
from tests.support.operator_process import operator_process

FOREVER = "echo begun; while true; do sleep 0.2; done"

WITH_DASK = """python - <<'END'
from distributed import Client
with Client() as client:
    print("the sum is", client.submit(sum, [1, 2, 3]).result())
END"""

HOLDING_ON = """python - <<'END'
import time
from distributed import Client
with Client() as client:
    print("connected", flush=True)
    while True:
        client.submit(sum, [1, 2], pure=False).result(timeout=20)
        time.sleep(0.2)
END"""


def _pod(namespace: str, name: str) -> Tree:
    found = get(namespace, "pod", name)
    assert found is not None, f"there is no Pod {name}"
    return found


def _running(namespace: str, name: str, attempt: int = 1) -> Tree:
    """The job, once the program of that attempt runs."""

    def found() -> Tree | None:
        item = job(namespace, name)
        attempts = item.get("status", {}).get("attempts", [])
        return item if [a["number"] for a in attempts if a.get("startTime")][-1:] == [attempt] else None

    return eventually(f"attempt {attempt} of {name} to run", found, 90)


def test_a_program_uses_its_cluster_without_knowing_it_and_is_complete(namespace: str) -> None:
    body = dask_job("good", WITH_DASK, real=True)
    body["metadata"] |= {"annotations": {"team": "blue"}, "labels": {"cost": "low"}}
    body["spec"]["cluster"]["metadata"] = {"annotations": {"kind": "batch"}}
    apply(namespace, body)
    _running(namespace, "good")
    assert _pod(namespace, "good-scheduler")["metadata"]["annotations"]["kind"] == "batch"
    kubectl("wait", "-n", namespace, "--for=condition=Complete", "daskjob/good", "--timeout=90s")
    only_left(namespace, "good-runner")
    assert "the sum is 6" in kubectl("logs", "good-runner", "-n", namespace)
    status = job(namespace, "good")["status"]
    assert (status["jobStatus"], status["clusterName"]) == ("Successful", "good")
    assert status["startTime"] <= status["endTime"]
    [attempt] = status["attempts"]
    assert (attempt["outcome"], attempt["exitCode"]) == ("Succeeded", 0)
    assert "the sum is 6" in attempt["log"]
    metadata = _pod(namespace, "good-runner")["metadata"]
    assert (metadata["annotations"]["team"], metadata["labels"]["cost"]) == ("blue", "low")
    assert "kind" not in metadata["annotations"]
    kubectl("delete", "daskjob", "good", "-n", namespace)
    only_left(namespace)


def test_a_program_that_fails_too_often_has_failed_and_every_attempt_tells_how(namespace: str) -> None:
    apply(namespace, dask_job("bad", "for i in $(seq 30); do echo line $i; done; exit 3", backoffLimit=1))
    item = ended(namespace, "bad", "Failed", "BackoffLimitExceeded", 90)
    assert outcomes(item) == ["ProgramFailed", "ProgramFailed"]
    assert [attempt["exitCode"] for attempt in item["status"]["attempts"]] == [3, 3]
    log = item["status"]["attempts"][0]["log"].splitlines()
    assert (log[0], log[-1], len(log)) == ("line 11", "line 30", 20)
    assert item["status"]["jobStatus"] == "Failed"
    only_left(namespace, "bad-runner", "bad-runner-2")
    eventually("an Event", lambda: "BackoffLimitExceeded" in event_reasons(namespace, "bad"), 20)


def test_failures_in_place_at_once_and_out_of_time(namespace: str) -> None:
    """Three jobs side by side."""
    volume = {"volumes": [{"name": "kept", "emptyDir": {}}]}
    once = dask_job("in-place", "test -e /kept/x || { touch /kept/x; exit 5; }", pod=volume)
    once["spec"]["job"]["spec"]["containers"] = [
        {
            "name": "program",
            "image": "localhost/dask:dev",
            "volumeMounts": [{"name": "kept", "mountPath": "/kept"}],
        }
        | {"command": ["sh", "-c", "test -e /kept/x || { touch /kept/x; exit 5; }"]}
    ]
    never = dask_job("never", "exit 4", pod={"restartPolicy": "Never"})
    late = dask_job("late", FOREVER, activeDeadlineSeconds=12, ttlSecondsAfterFinished=20)
    apply(namespace, once, never, late)
    assert outcomes(ended(namespace, "late", "Failed", "DeadlineExceeded")) == ["DeadlineExceeded"]

    def stopped() -> bool:
        return bool(_pod(namespace, "late-runner")["status"]["phase"] == "Failed")

    eventually("the runner to be stopped", stopped, 20)
    assert "begun" in kubectl("logs", "late-runner", "-n", namespace)
    item = ended(namespace, "in-place", "Complete", "Completed")
    assert item["status"]["attempts"][0]["restarts"] == 1
    assert outcomes(ended(namespace, "never", "Failed", "ProgramFailed")) == ["ProgramFailed"]
    eventually("the job to be deleted", lambda: get(namespace, "daskjob", "late") is None, 40)
    only_left(namespace, "in-place-runner", "never-runner")


def test_a_suspended_job_has_nothing_and_begins_anew_when_it_is_resumed(namespace: str) -> None:
    apply(namespace, dask_job("pause", FOREVER), dask_job("waits", "true", suspend=True))
    _running(namespace, "pause")

    def change(spec: Tree) -> None:
        patch = json.dumps({"spec": spec})
        kubectl("patch", "daskjob", "pause", "-n", namespace, "--type=merge", "-p", patch)

    change({"suspend": True})
    kubectl("wait", "-n", namespace, "--for=condition=Suspended", "daskjob/pause", "--timeout=60s")
    only_left(namespace)
    assert outcomes(job(namespace, "pause")) == ["Suspended"]
    assert condition(job(namespace, "waits"), "Suspended")["status"] == "True"
    change({"suspend": False, "job": dask_job("pause", "sleep 2")["spec"]["job"]})
    item = ended(namespace, "pause", "Complete", "Completed")
    assert outcomes(item) == ["Suspended", "Succeeded"]
    only_left(namespace, "pause-runner-2")


def test_a_lost_runner_and_a_lost_scheduler_begin_another_attempt_and_do_not_count(namespace: str) -> None:
    apply(namespace, dask_job("robbed", HOLDING_ON, real=True, backoffLimit=0))
    _running(namespace, "robbed")
    kubectl("delete", "pod", "robbed-runner", "-n", namespace, "--wait=false")
    _running(namespace, "robbed", 2)
    eventually(
        "the program to have its scheduler",
        lambda: job(namespace, "robbed")["status"]["attempts"][-1].get("schedulerUID"),
    )
    eventually(
        "it to be connected", lambda: "connected" in kubectl("logs", "robbed-runner-2", "-n", namespace)
    )
    kubectl("delete", "pod", "robbed-scheduler", "-n", namespace, "--wait=false")
    _running(namespace, "robbed", 3)
    item = job(namespace, "robbed")
    assert outcomes(item) == ["RunnerLost", "SchedulerLost", ""]
    assert item["status"]["failures"] == 0
    assert "connect" in item["status"]["attempts"][1]["log"]  # or how it lost the connection
    kubectl("delete", "daskjob", "robbed", "-n", namespace)
    only_left(namespace, seconds=120)


def test_what_never_starts_says_why_and_ends_where_the_spec_limits_it(namespace: str) -> None:
    """Three jobs side by side."""
    image = {"containers": [{"name": "program", "image": "localhost/no-such-image:1"}]}
    nowhere = {"worker": {"spec": {"nodeSelector": {"no": "node"}}}}
    apply(
        namespace,
        dask_job("no-image", "", pod=image, startPolicy={"timeoutSeconds": 25}),
        dask_job("no-workers", "true", cluster=nowhere, startPolicy={"workers": 1, "timeoutSeconds": 25}),
        dask_job("refused", "true", pod={"restartPolicy": "OnFailure", "priority": "high"}),
    )
    ended(namespace, "refused", "Failed", "PodRefused")
    not_yet(namespace, "no-image", "ImagePullFailed", 24)
    not_yet(namespace, "no-workers", "Unschedulable", 24)
    for name in ("no-image", "no-workers"):
        assert outcomes(ended(namespace, name, "Failed", "StartTimeout")) == ["StartTimeout"]
    only_left(namespace)


def test_what_a_job_was_started_with_stays(namespace: str) -> None:
    apply(namespace, dask_job("fixed", FOREVER, backoffLimit=2, activeDeadlineSeconds=500))
    _running(namespace, "fixed")

    def patch(spec: str) -> str:
        return kubectl(
            "patch", "daskjob", "fixed", "-n", namespace, "--type=merge", "-p", f'{{"spec":{spec}}}'
        )

    for edit in ('{"backoffLimit":3}', '{"activeDeadlineSeconds":null}', '{"startPolicy":{"workers":1}}'):
        with pytest.raises(AssertionError, match="cannot be changed when a job has started"):
            patch(edit)
    patch('{"ttlSecondsAfterFinished":5}')
    patch('{"job":{"metadata":{"labels":{"new":"label"}}}}')

    def told() -> bool:
        return condition(job(namespace, "fixed"), "EditIgnored").get("status") == "True"

    eventually("the job to say that the edit changes nothing", told, 20)
    assert "new" not in _pod(namespace, "fixed-runner")["metadata"]["labels"]
    assert outcomes(job(namespace, "fixed")) == [""]


@pytest.mark.slow
def test_a_kept_cluster_is_there_for_its_time_and_no_longer(namespace: str) -> None:
    policy = {"onSuccess": {"keepClusterSeconds": 15}}
    apply(namespace, dask_job("kept", "true", cleanupPolicy=policy))
    ended(namespace, "kept", "Complete", "Completed")
    assert get(namespace, "daskcluster", "kept") is not None
    done = time.monotonic()
    only_left(namespace, "kept-runner")
    assert time.monotonic() - done > 8


PHASES = ["created", "cluster", "runner", "running", "ended"]


def _reach(namespace: str, name: str, phase: str) -> None:
    """Wait until a job is that far."""
    if phase == "cluster":
        eventually("its cluster", lambda: get(namespace, "daskcluster", name), every=0.02)
    elif phase == "runner":
        eventually("its runner", lambda: get(namespace, "pod", f"{name}-runner"), every=0.02)
    elif phase == "running":
        _running(namespace, name)
    elif phase == "ended":
        ended(namespace, name, "Complete", "Completed")


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_a_job_may_be_deleted_in_every_phase(namespace: str, phase: str) -> None:
    apply(namespace, dask_job("gone", "sleep 1"))
    _reach(namespace, "gone", phase)
    kubectl("delete", "daskjob", "gone", "-n", namespace)
    only_left(namespace)


@pytest.mark.slow
@pytest.mark.alone
def test_the_operator_may_be_killed_in_every_phase(namespace: str, tmp_path: Path) -> None:
    with operator_process(tmp_path) as operator:
        for phase in PHASES:
            name = f"kill-{phase}"
            apply(namespace, dask_job(name, "sleep 2; exit 6", backoffLimit=1))
            if phase == "ended":
                ended(namespace, name, "Failed", "BackoffLimitExceeded", 90)
            else:
                _reach(namespace, name, phase)
            operator.kill()
            operator.start()
        for phase in PHASES:
            item = ended(namespace, f"kill-{phase}", "Failed", "BackoffLimitExceeded", 120)
            assert outcomes(item) == ["ProgramFailed", "ProgramFailed"]
        runners = {f"kill-{phase}-runner{suffix}" for phase in PHASES for suffix in ("", "-2")}
        eventually("only runners to be left", functools.partial(_equal, namespace, runners), 60)
        pods = list_objects(namespace, "pods", "dask.org/component=job-runner")
        assert {pod["status"]["phase"] for pod in pods} == {"Failed"}


def _equal(namespace: str, wanted: set[str]) -> bool:
    return left(namespace) == wanted
