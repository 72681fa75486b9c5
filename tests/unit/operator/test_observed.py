"""What the operator reads out of Pods, and where it finds a scheduler's workers."""

from typing import Any

import pytest
from dask_operator.observed import DaskWorker, PodView
from dask_operator.observed.pods import pod_view
from dask_operator.observed.roster import place
from dask_operator_api.conditions import Reason
from dask_operator_api.times import rfc3339, timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operator.worlds import process, roster, worker, worker_body


def seen(status: dict[str, Any], **spec: Any) -> PodView:
    """A worker Pod with a status as the kubelet or the kube-scheduler writes it."""
    body = worker_body(1)
    body["status"] = status
    body["spec"] |= spec
    return pod_view(body)


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "worker", "state": state, **more}]}


def test_a_pod_that_nobody_has_looked_at_yet_is_alive_and_has_no_trouble() -> None:
    pod = seen({"phase": "Pending"}, nodeName="")
    assert (pod.state, pod.alive, pod.ready, pod.trouble, pod.node) == ("none", True, False, None, "")


def test_an_unschedulable_pod_tells_why_in_the_words_of_the_kube_scheduler() -> None:
    message = "0/3 nodes are available: 3 Insufficient memory."
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod = seen({"phase": "Pending", "conditions": [placed]}, nodeName="")
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.UNSCHEDULABLE
    assert pod.trouble.message == f"{message.rstrip('.')}; free or add capacity, or ask for less"
    assert pod.alive


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_trouble(reason: str) -> None:
    pod = seen(waiting(reason, "Back-off pulling image\n  x:1"))
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.IMAGE_PULL_FAILED
    assert pod.trouble.message.startswith(f"{reason}: Back-off pulling image x:1; correct the image")


def test_a_crash_loop_tells_of_the_last_end() -> None:
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": "no such module"}}
    pod = seen(waiting("CrashLoopBackOff", "back-off 10s", lastState=last, restartCount=4))
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.CRASH_LOOP
    assert "Error: exit code 1: no such module; see its log" in pod.trouble.message
    assert (pod.restarts, pod.exit_code, pod.finished, pod.alive) == (4, 1, False, True)


def ended(exit_code: int, reason: str, message: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}


NOT_FOUND = 'exec: "dask-worker": executable file not found in $PATH: unknown'


@pytest.mark.parametrize(
    "status",
    [
        waiting("RunContainerError", NOT_FOUND),
        waiting(
            "CrashLoopBackOff",
            lastState={"terminated": {"exitCode": 128, "reason": "StartError", "message": NOT_FOUND}},
        ),
        waiting("CrashLoopBackOff", lastState=ended(127, "Error", "")),
    ],
)
def test_a_command_that_is_not_found_is_told_with_what_to_write_instead(status: dict[str, Any]) -> None:
    pod = seen(status, containers=[{"name": "worker", "args": ["dask-worker", "--name", "x"]}])
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.COMMAND_NOT_FOUND
    assert pod.trouble.message.endswith("images of today have no dask-worker: write [dask, worker] in args")


def test_another_command_that_is_not_found_is_named() -> None:
    words = 'exec: "conda": executable file not found'
    pod = seen(waiting("RunContainerError", words), containers=[{"name": "worker", "args": ["conda"]}])
    assert pod.trouble is not None
    assert pod.trouble.message.endswith("the image does not have the command conda")


def test_a_container_that_ran_out_of_memory_is_told_what_to_raise() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod = seen(waiting("CrashLoopBackOff", lastState=last, restartCount=1))
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.OOM_KILLED
    assert "resources.limits.memory" in pod.trouble.message


def test_a_container_that_runs_again_after_its_end_is_no_trouble_and_its_end_is_known() -> None:
    report = {
        "name": "worker",
        "restartCount": 1,
        "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}},
        "lastState": {
            "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}
        },
    }
    pod = seen({"phase": "Running", "containerStatuses": [report]})
    assert pod.trouble is None
    assert pod.end is not None
    assert (pod.end.reason, pod.end.exit_code) == ("OOMKilled", 137)


def test_trouble_of_an_init_container_or_a_sidecar_is_the_pods() -> None:
    pulling = {"name": "fetch", "state": {"waiting": {"reason": "ErrImagePull", "message": "denied"}}}
    own = {"name": "worker", "state": {"waiting": {"reason": "PodInitializing"}}}
    for kind in ("initContainerStatuses", "containerStatuses"):
        pod = seen({"phase": "Pending", "containerStatuses": [own], kind: [own, pulling]})
        assert pod.trouble is not None
        assert pod.trouble.reason == Reason.IMAGE_PULL_FAILED


def test_a_container_on_its_way_up_is_no_trouble() -> None:
    assert seen(waiting("ContainerCreating")).trouble is None


def test_a_retired_worker_has_finished_though_an_injected_sidecar_never_ends() -> None:
    statuses = [
        {"name": "istio-proxy", "state": {"running": {}}},
        {"name": "worker", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
    ]
    pod = seen({"phase": "Running", "containerStatuses": statuses})
    assert (pod.finished, pod.alive, pod.exit_code, pod.trouble) == (True, False, 0, None)


@pytest.mark.parametrize(
    ("policy", "exit_code", "finished"),
    [
        ("OnFailure", 0, True),
        ("OnFailure", 1, False),
        ("Never", 1, True),
        ("Never", 0, True),
        ("Always", 0, False),
    ],
)
def test_a_container_has_finished_when_nothing_will_start_it_again(
    policy: str, exit_code: int, finished: bool
) -> None:
    statuses = [{"name": "worker", "state": {"terminated": {"exitCode": exit_code}}}]
    assert (
        seen({"phase": "Running", "containerStatuses": statuses}, restartPolicy=policy).finished is finished
    )


def test_an_evicted_pod_has_finished_and_says_why() -> None:
    pod = seen({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
    assert pod.finished
    assert pod.trouble is not None
    assert pod.trouble.reason == Reason.EVICTED
    assert pod.trouble.message.startswith("Evicted: The node was low on resource: memory; ask for")


def test_the_dask_container_is_the_one_named_like_its_component_wherever_it_stands() -> None:
    statuses = [
        {"name": "proxy", "state": {"waiting": {}}, "restartCount": 9},
        {"name": "worker", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "restartCount": 1},
    ]
    pod = seen(
        {"phase": "Running", "containerStatuses": statuses},
        containers=[{"name": "proxy"}, {"name": "worker"}],
    )
    assert (pod.running, pod.restarts, pod.started) == (True, 1, timestamp("2026-01-01T00:00:00Z"))


@given(st.integers(0, 4_000_000_000))
def test_times_survive_the_way_into_a_status_and_back(seconds: int) -> None:
    assert timestamp(rfc3339(seconds)) == seconds


# -- which worker runs where


def test_several_processes_of_one_pod_are_all_found_by_name() -> None:
    pod, other = worker(1), worker(2)
    placed = place(roster(process(pod, 0), process(pod, 1), process(other)), [pod, other])
    assert len(placed.of(pod)) == 2
    assert len(placed.of(other)) == 1


def test_a_worker_with_a_name_of_its_own_is_found_by_address() -> None:
    pod = worker(1)
    loner = DaskWorker("tcp://10.0.0.1:4000", "alice", "10.0.0.1")
    assert place(roster(loner), [pod, worker(2)]).of(pod) == (loner,)


def test_pods_that_share_an_address_are_told_apart_by_name_only() -> None:
    one, other = worker(1, ip="192.168.0.1"), worker(2, ip="192.168.0.1")
    loner = DaskWorker("tcp://192.168.0.1:4000", "alice", "192.168.0.1")
    placed = place(roster(process(one), process(other), loner), [one, other])
    assert [w.name for w in placed.of(one)] == [one.name]
    assert [w.name for w in placed.of(other)] == [other.name]


@given(st.lists(st.integers(0, 5), max_size=12))
def test_no_worker_is_ever_in_two_pods(homes: list[int]) -> None:
    pods = [worker(n) for n in range(1, 5)]
    workers = [
        process(pods[home], nth) if home < 4 else DaskWorker(f"tcp://9.9.9.9:{nth}", f"x{nth}", "9.9.9.9")
        for nth, home in enumerate(homes)
    ]
    placed = place(roster(*workers), pods)
    found = [each.address + each.name for pod in pods for each in placed.of(pod)]
    assert len(found) == len(set(found)) == sum(home < 4 for home in homes)
