"""Whatever happens to a job, it ends as it should, once, and leaves nothing beyond its policy."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.job_simulation import JobWorld

Action = tuple[str, int]

DEAF = (
    (),
    ("DaskJob",),
    ("Pod",),
    ("DaskCluster",),
    ("DaskJob", "Pod", "DaskCluster", "Service"),
    ("Pod", "Service"),
)
"""Kinds whose watches tell nothing for a while."""

LOSSES = ("gone", "deleted", "evicted", "restarted", "node")
"""How a scheduler can be lost."""

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(1, 15)),
        st.tuples(st.just("exit"), st.sampled_from([0, 1, 1, 1])),
        st.tuples(st.just("lose runner"), st.just(0)),
        st.tuples(st.just("evict runner"), st.just(0)),
        st.tuples(st.just("lose scheduler"), st.integers(0, 2 * len(LOSSES) - 1)),
        st.tuples(st.just("shut scheduler down"), st.just(0)),
        st.tuples(st.just("slow"), st.integers(0, 1)),
        st.tuples(st.just("squat"), st.just(0)),
        st.tuples(st.just("delete job"), st.integers(0, 1)),
        st.tuples(st.just("delete cluster"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 6)),
        st.tuples(st.just("timeout"), st.integers(0, 1)),
        st.tuples(st.just("silent"), st.integers(0, 1)),
        st.tuples(st.just("deaf"), st.integers(0, len(DEAF) - 1)),
        st.tuples(st.just("suspend"), st.integers(0, 1)),
    ),
    max_size=16,
)

SPECS = st.fixed_dictionaries(
    {
        "backoffLimit": st.sampled_from([None, 0, 1, 3]),
        "pod": st.sampled_from([{}, {"restartPolicy": "Never"}, {"restartPolicy": "OnFailure"}]),
    },
    optional={
        "activeDeadlineSeconds": st.sampled_from([5, 40, 400]),
        "startPolicy": st.sampled_from(
            [{"workers": 2, "timeoutSeconds": 30}, {"workers": 9, "timeoutSeconds": 30}]
        ),
        "cleanupPolicy": st.just({"onFailure": {"keepClusterSeconds": 20}}),
        "ttlSecondsAfterFinished": st.just(100_000),
    },
)


async def _act(world: JobWorld, action: Action) -> None:
    what, number = action
    acts: dict[str, Callable[[], object]] = {
        "exit": lambda: world.exit(number),
        "lose runner": world.lose_runner,
        "evict runner": world.evict_runner,
        "lose scheduler": lambda: world.lose_scheduler(LOSSES[number // 2], bool(number % 2)),
        "shut scheduler down": world.shut_scheduler_down,
        "slow": lambda: setattr(world, "slow", bool(number)),
        "squat": world.squat,
        "delete job": lambda: world.delete_job(bool(number)),
        "delete cluster": world.delete_cluster,
        "crash": lambda: setattr(world.kube, "crash_after", number),
        "timeout": lambda: world.kube.timeouts.append(bool(number)),
        "silent": lambda: setattr(world, "silent", bool(number)),
        "deaf": lambda: setattr(world, "deaf_to", frozenset(DEAF[number])),
        "suspend": lambda: world.edit(suspend=bool(number)),
        "tick": lambda: None,
    }
    acts[what]()
    await world.settle()
    for _ in range(number if what == "tick" else 1):
        world.tick()
        await world.settle()


async def _finish(world: JobWorld) -> None:
    """All is well from now on, the job is not suspended, and its program exits 0 as soon as it runs."""
    world.silent = False
    world.deaf_to = frozenset()
    world.kube.timeouts.clear()
    world.kube.crash_after = None
    world.make_room()
    world.edit(suspend=False)
    for _ in range(250):
        before = world.kube.version
        world.exit(0)
        await world.settle()
        world.tick()
        await world.settle()
        going = any(body["metadata"].get("deletionTimestamp") for body in world.kube.objects.values())
        if going or world.kube.version != before:
            continue
        if world.due is None or world.due > world.clock() + 50_000:
            return
        world.tick(max(0.0, world.due - world.clock()))
        await world.settle()
    raise AssertionError(f"after 250 steps the job still changes: {world.status}")


async def _live(spec: dict[str, Any], actions: list[Action], finish: bool = True) -> JobWorld:
    world = JobWorld(**spec)
    world.start_operator()
    await world.settle()
    for action in actions:
        await _act(world, action)
    if finish:
        await _finish(world)
    return world


def run(world: Awaitable[JobWorld]) -> JobWorld:
    async def awaited() -> JobWorld:
        return await world

    return asyncio.run(awaited())


def live(actions: list[Action], **spec: Any) -> JobWorld:
    return run(_live(spec, actions))


def outcomes(world: JobWorld) -> list[str]:
    return [item.get("outcome", "") for item in world.status["attempts"]]


UP: list[Action] = [("tick", 6)]
"""Until the program runs."""


@settings(max_examples=150, deadline=None)
@given(SPECS, ACTIONS)
def test_a_job_always_ends_and_leaves_nothing_that_runs(spec: dict[str, Any], actions: list[Action]) -> None:
    world = run(_live(spec, actions))
    if ("DaskJob", "j") not in world.kube.objects:
        assert not world.kube.objects
        return
    allowed = {"Completed", "DeadlineExceeded" if "activeDeadlineSeconds" in spec else "Completed"}
    if "startPolicy" in spec:
        allowed.add("StartTimeout")
    if spec["backoffLimit"] is not None:
        allowed.add("BackoffLimitExceeded")
    elif spec["pod"].get("restartPolicy") == "Never":
        allowed.add("ProgramFailed")
    assert world.verdict in allowed
    assert world.alive_runners() == []
    left = {kind for kind, _ in world.kube.objects}
    assert left <= {"DaskJob", "Pod"}
    ended = outcomes(world)
    assert "" not in ended
    if world.most_attempts <= len(ended):
        assert ended.count("ProgramFailed") == world.status["failures"]
    if spec["backoffLimit"] is not None:
        assert world.status["failures"] <= spec["backoffLimit"] + 1
    assert world.status["jobStatus"] == ("Successful" if world.verdict == "Completed" else "Failed")


def test_a_job_that_goes_well_has_one_attempt() -> None:
    world = live(UP)
    assert (world.verdict, outcomes(world)) == ("Completed", ["Succeeded"])
    assert world.status["attempts"][0]["log"] == "the last line"


@pytest.mark.parametrize("how", range(2 * len(LOSSES)))
@pytest.mark.parametrize("crash", range(6))
def test_a_lost_scheduler_never_counts_as_the_programs_failure(how: int, crash: int) -> None:
    world = live([*UP, ("crash", crash), ("lose scheduler", how), ("tick", 12)], backoffLimit=0)
    assert (world.verdict, outcomes(world)) == ("Completed", ["SchedulerLost", "Succeeded"])


@pytest.mark.parametrize("action", ["lose runner", "evict runner"])
@pytest.mark.parametrize("crash", range(6))
def test_a_lost_runner_never_counts_as_the_programs_failure(action: str, crash: int) -> None:
    world = live([*UP, ("crash", crash), (action, 0), ("tick", 6)], backoffLimit=0)
    assert (world.verdict, outcomes(world)) == ("Completed", ["RunnerLost", "Succeeded"])


@pytest.mark.parametrize("crash", range(9))
def test_a_programs_failure_counts_wherever_the_operator_is_killed(crash: int) -> None:
    world = live([("crash", crash), *UP, ("tick", 2), ("exit", 1), ("tick", 30)], backoffLimit=1)
    assert (world.verdict, outcomes(world)) == ("Completed", ["ProgramFailed", "Succeeded"])


def test_failures_beyond_the_limit_end_the_job() -> None:
    world = live([*UP, ("exit", 1), ("tick", 15), ("exit", 1), ("tick", 15)], backoffLimit=1)
    assert (world.verdict, outcomes(world)) == ("BackoffLimitExceeded", ["ProgramFailed", "ProgramFailed"])
    assert world.condition("Complete") == ("False", "BackoffLimitExceeded")


def test_a_failure_is_judged_even_if_its_scheduler_never_answers() -> None:
    actions: list[Action] = [*UP, ("silent", 1), ("exit", 1), ("tick", 15)]
    assert live(actions, backoffLimit=0).verdict == "BackoffLimitExceeded"


def test_a_deadline_ends_a_job_that_runs_on() -> None:
    world = run(_live({"activeDeadlineSeconds": 20}, [("tick", 15), ("tick", 15)], finish=False))
    assert (world.verdict, outcomes(world)) == ("DeadlineExceeded", ["DeadlineExceeded"])
    assert world.alive_runners() == []
    assert [body["metadata"]["name"] for body in world.runners()] == ["j-runner"]


def test_a_deadline_in_the_pause_between_two_attempts_is_the_end_of_the_job() -> None:
    actions: list[Action] = [*UP, ("exit", 1), ("tick", 15)]
    world = run(_live({"backoffLimit": 5, "activeDeadlineSeconds": 10}, actions, finish=False))
    assert (world.verdict, outcomes(world)) == ("DeadlineExceeded", ["ProgramFailed"])
    assert world.status["endTime"] > world.status["attempts"][-1]["endTime"]


def test_a_suspended_job_has_nothing_and_says_so_only_then() -> None:
    world = run(_live({}, [*UP, ("suspend", 1)], finish=False))
    assert world.condition("Suspended") == ("False", "Suspending")

    async def later() -> None:
        await _act(world, ("tick", 8))

    asyncio.run(later())
    assert world.condition("Suspended") == ("True", "JobSuspended")
    assert {kind for kind, _ in world.kube.objects} == {"DaskJob"}


def test_a_verdict_whose_write_was_not_answered_stands_whatever_happens_next() -> None:
    actions: list[Action] = [("tick", 18), ("deaf", 1), ("timeout", 1), ("tick", 1), ("exit", 0), ("tick", 3)]
    assert live(actions, activeDeadlineSeconds=20).verdict == "DeadlineExceeded"


def test_a_failure_that_is_heard_of_before_the_loss_of_the_scheduler_does_not_count() -> None:
    async def live() -> JobWorld:
        world = await _live({"backoffLimit": 0}, UP, finish=False)
        world.exit(1)
        failure = world.kube.events.pop()
        world.lose_scheduler("gone", with_program=False)
        world.kube.events.insert(0, failure)
        world.tick()
        for _ in range(4):
            held, world.kube.events = world.kube.events[1:], world.kube.events[:1]
            await world.settle()
            world.kube.events = held
            world.tick()
        await _finish(world)
        return world

    assert outcomes(run(live())) == ["SchedulerLost", "Succeeded"]


def test_a_new_attempt_waits_for_what_no_watch_has_told_of() -> None:
    unheard: list[Action] = [("deaf", 5), ("tick", 2), ("delete cluster", 0), ("tick", 1), ("deaf", 0)]
    world = live(unheard, startPolicy={"workers": 9, "timeoutSeconds": 30})
    assert outcomes(world) == ["ClusterLost", "StartTimeout"]


def test_a_program_that_succeeds_while_its_attempt_is_given_up_for_lost_does_not_run_again() -> None:
    async def live() -> JobWorld:
        world = await _live({}, UP, finish=False)
        world.lose_scheduler("gone", with_program=False)
        await world.settle()
        assert outcomes(world)[0] == "SchedulerLost"
        world.exit(0)
        await _finish(world)
        return world

    world = run(live())
    assert (world.verdict, outcomes(world)) == ("Completed", ["Succeeded"])


def test_a_success_that_no_watch_has_told_of_yet_is_known_when_the_time_is_over() -> None:
    world = live([("tick", 10), ("deaf", 2), ("exit", 0), ("tick", 12)], activeDeadlineSeconds=20)
    assert (world.verdict, outcomes(world)) == ("Completed", ["Succeeded"])


@pytest.mark.parametrize("again", [0, 1])
@pytest.mark.parametrize("seconds", range(6))
def test_a_job_may_be_deleted_and_made_anew_at_any_moment(seconds: int, again: int) -> None:
    world = live([("tick", seconds), ("delete job", again), ("tick", 15)])
    assert world.verdict == ("Completed" if again else "")
    assert {kind for kind, _ in world.kube.objects} == ({"DaskJob", "Pod"} if again else set())


def test_a_runner_waits_for_its_name_and_says_so() -> None:
    begun: list[Action] = [*UP, ("squat", 0), ("lose runner", 0), ("tick", 20)]
    world = run(_live({}, begun, finish=False))
    assert world.condition("Complete") == ("False", "NameConflict")
    assert outcomes(live(begun)) == ["RunnerLost", "Succeeded"]


@pytest.mark.parametrize(("kind", "reason"), [("Pod", "PodRefused"), ("DaskCluster", "InvalidSpec")])
def test_what_the_api_server_will_never_take_ends_the_job_and_leaves_nothing(kind: str, reason: str) -> None:
    async def live() -> JobWorld:
        world = JobWorld(backoffLimit=3)
        world.kube.refused.add(("create", kind))
        world.start_operator()
        await _act(world, ("tick", 10))
        return world

    world = run(live())
    assert (world.verdict, outcomes(world)) == (reason, ["Refused"])
    assert {kind for kind, _ in world.kube.objects} == {"DaskJob"}


def test_a_runner_that_may_not_be_stopped_is_deleted_later_and_the_job_goes_on() -> None:
    async def live() -> JobWorld:
        world = await _live({}, UP, finish=False)
        world.kube.refused.add(("patch", "Pod"))
        await _act(world, ("delete cluster", 0))
        await _act(world, ("tick", 110))
        assert world.alive_runners() == ["j-runner"]
        await _act(world, ("tick", 30))
        assert world.alive_runners() == ["j-runner-2"]
        await _finish(world)
        return world

    assert outcomes(run(live())) == ["ClusterLost", "Succeeded"]


def test_a_resumed_job_begins_with_its_templates_as_they_are_then() -> None:
    async def live() -> JobWorld:
        pod = {"priorityClassName": "high", "volumes": None}
        world = await _live({"pod": pod}, [*UP, ("suspend", 1), ("tick", 8)], finish=False)
        world.edit(job={"spec": {"containers": [{"name": "program"}]}})
        await _act(world, ("suspend", 0))
        await _act(world, ("tick", 4))
        return world

    world = run(live())
    [runner] = world.runners()
    assert "priorityClassName" not in runner["spec"]
    assert world.condition("EditIgnored") == ("False", "UpToDate")
    asyncio.run(_act(world, ("suspend", 1)))


def test_a_null_in_a_template_is_no_edit() -> None:
    async def live() -> JobWorld:
        world = await _live({"pod": {"volumes": None}}, UP, finish=False)
        world.edit(ttlSecondsAfterFinished=5)
        await world.settle()
        return world

    assert run(live()).condition("EditIgnored") == ("False", "UpToDate")


def test_a_resumed_job_has_its_whole_deadline_again() -> None:
    actions: list[Action] = [("tick", 15), ("suspend", 1), ("tick", 15), ("suspend", 0), ("tick", 10)]
    world = run(_live({"activeDeadlineSeconds": 25}, actions, finish=False))
    assert world.verdict == ""
    assert outcomes(world) == ["Suspended", ""]


def test_a_cluster_that_never_gets_its_workers_ends_the_job_where_the_spec_limits_it() -> None:
    policy = {"workers": 9, "timeoutSeconds": 20}
    world = run(_live({"startPolicy": policy}, [("tick", 10)], finish=False))
    assert world.condition("Complete") == ("False", "WaitingForWorkers")
    assert live([("tick", 15), ("tick", 15)], startPolicy=policy).verdict == "StartTimeout"


def test_a_job_is_deleted_when_its_time_is_over() -> None:
    world = live(UP, ttlSecondsAfterFinished=30)
    assert world.kube.objects == {}
