"""How long a worker that ended waits for its replacement."""

from dask_operator.plan.backoff import WINDOW_SECONDS
from dask_operator.plan.replacement import KEPT, Failure, delay, failures
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.worlds import WALL, group, scheduler, worker

FAILURES = st.lists(
    st.builds(
        Failure,
        pod=st.text("abc", min_size=1),
        at=st.floats(WALL - 2 * WINDOW_SECONDS, WALL).map(round).map(float),
        exit_code=st.sampled_from([0, 1, 137, None]),
        reason=st.sampled_from(["Error", "OOMKilled"]),
        message=st.text(max_size=5),
        log=st.text(max_size=5),
        restarted=st.booleans(),
        short=st.booleans(),
        template=st.sampled_from(["", "t", "u"]),
    ),
    max_size=KEPT,
)


@settings(max_examples=100)
@given(FAILURES)
def test_no_wait_is_negative_or_longer_than_five_minutes(known: list[Failure]) -> None:
    assert 0 <= delay(tuple(known), "t", WALL) <= 300


@settings(max_examples=100)
@given(FAILURES, st.floats(0, 1000))
def test_waiting_never_makes_the_wait_longer(known: list[Failure], pause: float) -> None:
    assert delay(tuple(known), "t", WALL + pause) <= delay(tuple(known), "t", WALL)


@settings(max_examples=100)
@given(FAILURES)
def test_failures_come_back_from_the_status_as_they_went_in(known: list[Failure]) -> None:
    of = group(status={"lastFailures": [failure.as_status() for failure in known]})
    assert failures(of, [], set(), scheduler(), WALL) == tuple(sorted(known, key=lambda failure: failure.at))


def test_the_first_two_short_lives_cost_no_time() -> None:
    short = [Failure(f"p{n}", WALL - 2 + n, 1, "Error", "", short=True, template="t") for n in range(3)]
    assert delay(tuple(short[:2]), "t", WALL) == 0
    assert delay(tuple(short), "t", WALL) == 5


def test_workers_that_end_together_are_one_round() -> None:
    together = tuple(Failure(f"p{n}", WALL, 1, "Error", "", short=True, template="t") for n in range(5))
    assert delay(together, "t", WALL) == 0


def test_another_template_starts_anew() -> None:
    short = tuple(Failure(f"p{n}", WALL - n, 1, "Error", "", short=True, template="t") for n in range(5))
    assert delay(short, "t", WALL) > 0
    assert delay(short, "another", WALL) == 0


def test_only_the_last_failures_are_kept() -> None:
    pods = [worker(n, "terminated", exit_code=1) for n in range(1, 9)]
    assert [f.pod for f in failures(group(), pods, set(), scheduler(), WALL)] == [
        pod.name for pod in pods[-KEPT:]
    ]


def test_a_failure_is_counted_once_however_often_its_pod_is_seen() -> None:
    pod = worker(1, "terminated", exit_code=1)
    first = failures(group(), [pod], set(), scheduler(), WALL)
    of = group(status={"lastFailures": [failure.as_status() for failure in first]})
    (again,) = failures(of, [pod], set(), scheduler(), WALL + 60)
    assert (again.pod, again.at) == (pod.name, WALL)


def test_a_worker_that_lost_its_scheduler_and_ended_well_is_no_failure() -> None:
    pods = [worker(1, "terminated", age=20), worker(2, "terminated", exit_code=1, age=20)]
    for successor in (None, scheduler("waiting"), scheduler(age=5)):
        assert [f.pod for f in failures(group(), pods, set(), successor, WALL)] == [pods[1].name]


def test_a_failure_has_no_null_that_the_api_server_would_drop() -> None:
    assert (
        None not in Failure("p", WALL, None, "Error", "gone", short=False, template="t").as_status().values()
    )
