"""What a group should be, reckoned from what a scheduler says."""

import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest
from dask_operator_api.conditions import Reason
from dask_operator_autoscaler.answers import Answers, Counts, Row, count_of, group_of
from dask_operator_autoscaler.decide import Demand
from dask_operator_autoscaler.demand import Place, demand, needs_counts, needs_rows

GIB = 2**30


def name(group: str, number: int) -> str:
    """The name of a worker, as the operator gives it."""
    return f"{group}-worker-{number:010x}"


def row(number: int, busy: int = 0, group: str = "c-default", **more: int | float) -> Row:
    """A worker of 4 GiB with ``busy`` tasks of a second each."""
    fields = {
        "threads": 1,
        "occupancy": float(busy),
        "results": 0,
        "used": GIB // 10,
        "limit": 4 * GIB,
        **more,
    }
    return Row(name=name(group, number), busy=busy, **fields)  # type: ignore[arg-type]


def answers(target: int, rows: Sequence[Row], counts: Counts | None = None) -> Answers:
    """A scheduler with these workers."""
    return Answers(target, tuple(row.name for row in rows), tuple(rows), counts)


def place(replicas: int, **more: object) -> Place:
    """The default group's place."""
    return replace(Place("c-default", replicas), **more)  # type: ignore[arg-type]


def test_a_workers_group_stands_in_its_name() -> None:
    assert group_of(name("c-default", 7)) == "c-default"
    assert group_of(name("c-worker-default", 7) + "-12") == "c-worker-default"
    assert group_of("tcp://10.0.0.1:4000") == ""
    assert group_of("my-worker-1") == ""


def test_several_processes_in_a_pod_are_one_worker() -> None:
    names = [f"{name('g', 1)}-0", f"{name('g', 1)}-1", name("g", 2), name("h", 1)]
    assert count_of("g", names) == 2


def test_the_wish_is_the_schedulers_while_it_is_no_smaller_than_what_there_is() -> None:
    rows = [row(1, busy=50), row(2, busy=50)]
    assert demand(place(2), answers(20, rows)) == Demand(20)


def test_with_no_worker_connected_threads_are_wanted_and_workers_have_several() -> None:
    nobody = Answers(40, (), counts=Counts(ready=100, unrunnable=0, stored=0))
    assert demand(place(0, threads=4), nobody).wish == 10


def test_tasks_of_unknown_duration_count_for_most_of_a_worker_each() -> None:
    unknown = Answers(10, (), counts=Counts(ready=100, unrunnable=0, stored=0))
    assert demand(place(0, maximum=40), unknown).wish == 32
    assert demand(place(0, maximum=10), unknown).wish == 10
    assert demand(place(0), unknown).wish == 80


def test_a_known_duration_is_believed() -> None:
    known = Answers(2, (), counts=Counts(ready=100, unrunnable=0, stored=0))
    assert demand(place(0, maximum=40), known).wish == 2


def test_a_longer_target_duration_wants_fewer_workers() -> None:
    rows = [row(1, busy=10), row(2, busy=10)]
    assert demand(place(2, target_seconds=50.0), answers(100, rows)).wish == 10
    nobody = Answers(100, (), counts=None)
    assert demand(place(0, target_seconds=50.0), nobody).wish == 10


def test_a_longer_target_duration_does_not_make_few_long_tasks_wait_for_each_other() -> None:
    rows = [row(1, busy=3, occupancy=300.0)]
    assert demand(place(1, target_seconds=50.0), answers(3, rows)).wish == 3
    assert demand(place(1, target_seconds=300.0), answers(3, rows)).wish == 1


def test_the_connected_workers_of_other_groups_are_counted_against_the_wish() -> None:
    rows = [row(1, busy=50), row(1, busy=50, group="other"), row(2, busy=50, group="other")]
    assert demand(place(1), answers(30, rows)).wish == 28


def test_what_waits_on_workers_with_resources_is_not_for_the_default_group() -> None:
    gpu = [row(1, busy=60, group="c-gpu", occupancy=600.0)]
    assert demand(place(0, special=frozenset({"c-gpu"})), answers(60, gpu)).wish == 0


def test_a_group_with_resources_grows_with_what_waits_on_its_own_workers() -> None:
    rows = [row(1, busy=60), row(1, busy=8, group="c-gpu", occupancy=20.0)]
    mine = Place("c-gpu", 1, primary=False, special=frozenset({"c-gpu"}))
    assert demand(mine, answers(70, rows)).wish == 4


def test_a_group_with_resources_wakes_for_tasks_that_nobody_can_run() -> None:
    mine = Place("c-gpu", 0, primary=False, special=frozenset({"c-gpu"}))
    said = answers(3, [row(1)], Counts(ready=3, unrunnable=3, stored=0))
    assert needs_counts(mine, replace(said, counts=None))
    assert demand(mine, said).wish == 3


def test_a_group_does_not_grow_for_tasks_that_its_idle_workers_cannot_run() -> None:
    rows = [row(1), row(2)]
    assert demand(place(2), answers(30, rows)).wish == 2


def test_a_group_grows_for_memory_even_with_idle_workers() -> None:
    rows = [row(1, used=3 * GIB, results=9), row(2, used=3 * GIB, results=9)]
    assert demand(place(2), answers(4, rows)).wish == 4


def test_no_worker_is_started_for_what_the_present_ones_do_before_it_comes() -> None:
    rows = [row(number, busy=10) for number in range(10)]
    assert demand(place(10, start_seconds=5.0), answers(20, rows)).wish == 10
    assert demand(place(10, start_seconds=5.0), answers(40, rows)).wish == 29
    assert demand(place(10, start_seconds=60.0), answers(40, rows)).wish == 10


def test_what_those_on_their_way_will_have_done_is_not_asked_for_again() -> None:
    rows = [row(number, busy=10) for number in range(10)]
    late = place(20, start_seconds=5.0, head_start=100.0)
    assert demand(late, answers(40, rows)).wish == 20


def test_only_idle_workers_may_go() -> None:
    rows = [row(1, busy=1), row(2, busy=1), row(3), row(4)]
    assert demand(place(4), answers(2, rows)) == Demand(2, 2, Reason.WORKERS_IN_USE)


def test_workers_on_their_way_may_go() -> None:
    rows = [row(1, busy=1), row(2, busy=1)]
    assert demand(place(9), answers(2, rows)) == Demand(2, 2, Reason.WORKERS_IN_USE)


def test_idle_workers_of_another_group_do_not_make_busy_ones_of_this_group_go() -> None:
    rows = [row(1, busy=1), row(2, busy=1), row(1, group="other"), row(2, group="other")]
    assert demand(place(2), answers(2, rows)) == Demand(0, 2, Reason.WORKERS_IN_USE)


def test_nobody_goes_when_the_scheduler_keeps_idle_workers_that_memory_does_not_need() -> None:
    """That is how a running P2P shuffle shows: its workers are none that may go, even while they are idle."""
    rows = [row(1), row(2), row(3), row(4)]
    held = answers(3, rows)
    assert needs_counts(place(4), held)
    known = replace(held, counts=Counts(0, 0, stored=1000))
    assert demand(place(4), known) == Demand(3, 4, Reason.SHUFFLE_RUNNING)
    assert demand(place(4), held) == Demand(3, 4, Reason.SHUFFLE_RUNNING)


def test_results_keep_as_many_workers_as_they_need_twice() -> None:
    rows = [row(number, results=5, used=3 * GIB // 2) for number in range(4)]
    said = answers(3, rows, Counts(0, 0, stored=6 * GIB))
    assert demand(place(4), said) == Demand(3, 3, Reason.NO_ROOM_FOR_RESULTS)


def test_results_of_big_workers_are_not_put_on_small_ones() -> None:
    big = [row(number, results=5, used=12 * GIB, limit=32 * GIB) for number in (1, 2)]
    small = [row(number, group="small", busy=1) for number in range(5)]
    assert demand(place(2), answers(5, [*big, *small])) == Demand(0, 1, Reason.NO_ROOM_FOR_RESULTS)


def test_a_pod_goes_when_all_its_processes_are_idle() -> None:
    pods = [
        replace(row(number, busy=busy), name=f"{name('c-default', number)}-{process}")
        for number, process, busy in ((1, 0, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0))
    ]
    assert demand(place(2), answers(1, pods)) == Demand(1, 1, Reason.WORKERS_IN_USE)


def test_several_processes_in_a_pod_are_reckoned_as_pods() -> None:
    pods = [
        replace(row(number, busy=9), name=f"{name('c-default', number)}-{process}")
        for number in (1, 2)
        for process in (0, 1)
    ]
    assert demand(place(2), answers(10, pods)).wish == 5


def test_without_the_page_of_workers_nobody_is_let_go() -> None:
    said = Answers(0, (name("c-default", 1), name("c-default", 2)))
    assert demand(place(2), said).floor == 2


def test_results_in_an_empty_cluster_keep_nobody() -> None:
    assert demand(place(2), Answers(0, ())) == Demand(0, 0, Reason.WORKERS_IN_USE)


@pytest.mark.parametrize(("target", "asked"), [(4, False), (9, True), (2, True)])
def test_the_page_is_asked_for_only_when_the_number_is_about_to_change(target: int, asked: bool) -> None:
    said = Answers(target, tuple(name("c-default", number) for number in range(4)))
    assert needs_rows(place(4), said, 0, 10) is asked


def test_a_group_at_its_bound_asks_for_no_page() -> None:
    said = Answers(99, tuple(name("c-default", number) for number in range(4)))
    assert not needs_rows(place(4), said, 0, 4)
    assert not needs_rows(place(4), replace(said, target=1), 4, 10)


def test_counts_are_asked_for_only_where_they_decide() -> None:
    assert not needs_counts(place(0), Answers(0, ()))
    assert needs_counts(place(0), Answers(3, ()))
    assert not needs_counts(place(2), answers(5, [row(1, busy=3), row(2, busy=3)]))
    assert not needs_counts(place(2), answers(0, [row(1), row(2)]))


def test_the_most_there_may_be_is_endless_unless_it_is_said() -> None:
    assert Place("g", 0).maximum == sys.maxsize
