"""What a look at a DaskCluster means: ready, hopeless, or worth waiting for."""

from collections.abc import Iterator
from typing import Any

import pytest
from dask_operator_api.conditions import Reason
from dask_operator_client import errors, waiting
from dask_operator_client.waiting import (
    GRACE_SECONDS,
    SCHEDULER_READY,
    Goal,
    Looks,
    Row,
    judge,
    rows,
    until_ready,
)
from hypothesis import given
from hypothesis import strategies as st

PATIENCE = 60.0


def cluster(status: str = "", reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"metadata": {"name": "c", "namespace": "ns", "uid": "u"}, "spec": {}}
    if status:
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        body["status"] = {"phase": "Pending", "conditions": [ready], **more}
    return body


STARTING = cluster("False", "SchedulerStarting", "waiting for the scheduler Pod c-scheduler to be Ready")


class World:
    """A clock that only sleeping moves, and the cluster as it is at each time."""

    def __init__(self, *timeline: tuple[float, Any]) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self._timeline = timeline

    async def observe(self) -> Any:
        seen = [body for since, body in self._timeline if since <= self.now][-1]
        if isinstance(seen, Exception):
            raise seen
        return seen

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def wait(self, patience: float = PATIENCE, goal: Goal = SCHEDULER_READY) -> Any:
        return await until_ready(
            self.observe,
            lambda verdict: self.lines.append(verdict.line),
            patience,
            goal,
            clock=lambda: self.now,
            sleep=self.sleep,
            explain=self.explain,
        )

    async def explain(self, goal: Goal, body: Any) -> str:
        return "the last line\n"


async def test_a_ready_cluster_is_given_as_it_is() -> None:
    ready = cluster("True", "SchedulerReady", "clients can connect")
    world = World((0, cluster()), (1, STARTING), (3, ready))
    assert await world.wait() == ready
    assert world.now == pytest.approx(3, abs=0.2)


async def test_the_line_says_what_the_condition_says_and_how_many_workers_are_ready() -> None:
    seen = cluster("False", "SchedulerStarting", "waiting for X", workers={"summary": "1/2", "ready": 1})
    verdict, _ = judge(seen, Looks.starting(0), 0, PATIENCE)
    assert verdict.line == "waiting for X (workers ready: 1/2)"


@pytest.mark.parametrize(("elapsed", "words"), [(4.9, "waiting for the operator"), (5.0, "is dask-operator")])
def test_a_cluster_without_status_asks_after_the_operator_only_after_some_seconds(
    elapsed: float, words: str
) -> None:
    verdict, _ = judge(cluster(), Looks.starting(0), elapsed, PATIENCE)
    assert words in verdict.line


async def test_without_an_operator_the_error_says_so_and_where() -> None:
    world = World((0, cluster()))
    with pytest.raises(errors.OperatorMissing, match=r"for 60 s.*namespace ns"):
        await world.wait()
    assert world.now == pytest.approx(60, abs=1.1)


@pytest.mark.parametrize("reason", sorted(GRACE_SECONDS))
async def test_what_waiting_does_not_mend_is_an_error_with_the_condition_s_message(reason: Reason) -> None:
    world = World((0, cluster()), (1, cluster("False", reason.value, "the API server's words")))
    with pytest.raises(errors.ClusterFailed, match="the API server's words") as caught:
        await world.wait()
    assert caught.value.reason is reason
    assert world.now == pytest.approx(1 + GRACE_SECONDS[reason], abs=0.5)


async def test_an_image_that_can_be_pulled_after_all_is_no_error() -> None:
    failing = cluster("False", "ImagePullFailed", "ErrImagePull")
    ready = cluster("True", "SchedulerReady")
    world = World((0, failing), (4, STARTING), (6, failing), (9, ready))
    assert await world.wait() == ready


async def test_changing_words_do_not_hide_that_an_image_cannot_be_pulled() -> None:
    timeline = [(float(n), cluster("False", "ImagePullFailed", f"try {n}")) for n in range(10)]
    world = World(*timeline)
    with pytest.raises(errors.ImagePullFailed):
        await world.wait()
    assert world.now == pytest.approx(5, abs=0.3)


async def test_patience_counts_from_the_last_progress_not_from_the_start() -> None:
    timeline = [(n * 50.0, cluster("False", "Unschedulable", f"node {n}")) for n in range(4)]
    world = World(*timeline)
    with pytest.raises(errors.WaitTimeout, match="node 3"):
        await world.wait()
    assert world.now == pytest.approx(150 + PATIENCE, abs=1.1)


async def test_a_wait_timeout_is_a_timeout_error_too() -> None:
    with pytest.raises(TimeoutError):
        await World((0, STARTING)).wait(patience=1)


async def test_a_cluster_that_is_deleted_meanwhile_is_an_error_at_once() -> None:
    world = World((0, STARTING), (2, None))
    with pytest.raises(errors.ClusterGone):
        await world.wait()
    assert world.now == pytest.approx(2, abs=0.2)


async def test_an_api_server_that_is_away_for_a_while_is_waited_for_and_shown() -> None:
    ready = cluster("True", "SchedulerReady")
    world = World((0, STARTING), (1, errors.KubernetesUnavailable("cannot reach it")), (20, ready))
    assert await world.wait() == ready
    assert "cannot reach it" in world.lines


async def test_an_api_server_that_stays_away_is_an_error_in_the_end() -> None:
    world = World((0, errors.KubernetesUnavailable("cannot reach it")))
    with pytest.raises(errors.KubernetesUnavailable):
        await world.wait()
    assert world.now == pytest.approx(PATIENCE, abs=1.1)


def test_a_reason_of_a_newer_operator_is_waited_for() -> None:
    verdict, _ = judge(cluster("False", "BrandNewReason", "words"), Looks.starting(0), 1, PATIENCE)
    assert verdict.error is None
    assert verdict.line == "words"


def test_every_reason_that_is_given_up_on_has_its_own_error() -> None:
    assert all(type(errors.failure(reason, "x")) is not errors.ClusterFailed for reason in GRACE_SECONDS)


STATUS_WORDS = st.sampled_from(["SchedulerStarting", "ImagePullFailed", "Unschedulable", "CrashLoop"])


@given(st.lists(st.tuples(STATUS_WORDS, st.floats(0.05, 30)), min_size=1))
def test_a_wait_never_goes_on_past_patience_without_progress(steps: list[tuple[str, float]]) -> None:
    """Whatever is seen and when: an unchanged world is never waited for longer than the patience."""
    looks, now, unchanged_since, last = Looks.starting(0), 0.0, 0.0, ""
    for reason, pause in steps:
        now += pause
        if reason != last:
            unchanged_since, last = now, reason
        verdict, looks = judge(cluster("False", reason, reason), looks, now, PATIENCE)
        if verdict.error is not None:
            return
        assert now - unchanged_since < PATIENCE


def times() -> Iterator[float]:
    now = 0.0
    while now < 120:
        yield now
        now += 1.0


def test_looks_become_rarer_and_never_more_than_ten_a_second() -> None:
    intervals = [waiting.interval(elapsed) for elapsed in times()]
    assert intervals == sorted(intervals)
    assert intervals[0] == 0.1
    assert intervals[-1] == 1.0


def with_workers(connected: int, reason: str = "WorkersStarting", message: str = "words") -> dict[str, Any]:
    body = cluster("True", "SchedulerReady", workers={"connected": connected, "desired": 2})
    body["status"]["conditions"].append(
        {"type": "WorkersReady", "status": "False", "reason": reason, "message": message}
    )
    return body


async def test_workers_are_waited_for_until_enough_are_connected() -> None:
    world = World((0, with_workers(0)), (1, with_workers(1)), (2, with_workers(2)))
    assert await world.wait(goal=Goal(2)) == with_workers(2)
    assert world.now == pytest.approx(2, abs=0.2)


async def test_workers_that_cannot_start_are_an_error_with_the_reason() -> None:
    world = World((0, with_workers(1, "ImagePullFailed", "no such image")))
    with pytest.raises(errors.ImagePullFailed, match="no such image"):
        await world.wait(goal=Goal(2))


async def test_an_error_has_the_condition_s_words_the_last_lines_of_the_log_and_the_next_command() -> None:
    world = World((0, cluster("False", "CrashLoop", "it ended with 1")))
    with pytest.raises(errors.SchedulerCrashed) as caught:
        await world.wait()
    assert str(caught.value) == (
        "c cannot start: it ended with 1\n"
        "The last lines of its log:\n    the last line\n"
        "To see more: kubectl get events -n ns --field-selector involvedObject.kind=Pod"
    )
    assert caught.value.log == "the last line"


async def test_a_full_quota_leads_to_the_quota() -> None:
    world = World((0, cluster("False", "QuotaExceeded", "no room")))
    with pytest.raises(errors.QuotaExceeded, match="kubectl describe resourcequota -n ns"):
        await world.wait()


def test_the_rows_say_how_each_part_is_and_why() -> None:
    assert rows(cluster()) == ()
    assert rows(with_workers(1, message="1 of 2 worker Pods are Ready")) == (
        Row("scheduler", "ready"),
        Row("service", "ready"),
        Row("workers", "1 of 2 connected", "1 of 2 worker Pods are Ready"),
    )
    scheduler, service, _ = rows(cluster("False", "ImagePullFailed", "no such image"))
    assert (scheduler, service) == (
        Row("scheduler", "ImagePullFailed", "no such image"),
        Row("service", "waiting"),
    )
    scheduler, service, _ = rows(cluster("False", "ServiceRefused", "bad port"))
    assert (scheduler, service) == (Row("scheduler", "waiting"), Row("service", "ServiceRefused", "bad port"))


def group(replicas: int, generation: int = 1, observed: int = 1, blocked: str = "") -> dict[str, Any]:
    condition = {"type": "DrainBlocked", "status": "True" if blocked else "False", "message": blocked}
    status = {"replicas": replicas, "observedGeneration": observed, "conditions": [condition]}
    return {"metadata": {"name": "g", "generation": generation}, "status": status}


async def test_a_group_is_drained_when_the_operator_has_seen_the_new_number_and_no_worker_is_left() -> None:
    timeline = [(0, group(0, generation=2)), (1, group(2, 2, 2)), (2, group(1, 2, 2)), (3, group(0, 2, 2))]
    world = World(*timeline)
    await waiting.until_drained(world.observe, PATIENCE, lambda: world.now, world.sleep)
    assert world.now == pytest.approx(3, abs=0.2)


async def test_a_group_that_cannot_be_drained_is_an_error_with_the_condition_s_words() -> None:
    world = World((0, group(2)), (5, group(1, blocked="no room for results")))
    with pytest.raises(errors.WaitTimeout, match=r"still has 1 workers.*no room for results"):
        await waiting.until_drained(world.observe, PATIENCE, lambda: world.now, world.sleep)
    assert world.now == pytest.approx(5 + PATIENCE, abs=1.1)
