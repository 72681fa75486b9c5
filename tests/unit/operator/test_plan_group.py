"""What is done about the workers of a group: growing, shrinking, mixtures of both."""

from dataclasses import replace

import pytest
from dask_operator.desired import worker_digest
from dask_operator.plan.group import plan_group
from dask_operator.plan.world import Attempt, Departure
from dask_operator.status import group_status
from dask_operator_api.conditions import Reason
from dask_operator_api.times import rfc3339

from tests.unit.operator.worlds import (
    NOW,
    WALL,
    blocked,
    departures,
    draining,
    group,
    leaving,
    observed,
    process,
    removed,
    retired,
    roster,
    scheduler,
    silence,
    worker,
)

# -- growing


def test_an_empty_group_gets_all_its_workers_at_once_counted_from_one() -> None:
    plan = plan_group(observed(group(replicas=3)))
    assert plan.create == (1, 2, 3)
    assert plan.last_index == 3


def test_a_group_that_has_what_it_wants_is_left_alone() -> None:
    plan = plan_group(observed(group(replicas=2), worker(1), worker(2, "waiting")))
    assert (plan.create, plan.remove, plan.drains, plan.retire) == ((), (), (), ())


def test_new_numbers_follow_the_highest_ever_given() -> None:
    of = group(replicas=2, status={"lastWorkerIndex": 7})
    assert plan_group(observed(of, worker(3))).create == (8,)


def test_new_numbers_follow_those_of_the_pods_where_the_status_is_behind() -> None:
    of = group(replicas=3, status={"lastWorkerIndex": 2})
    assert plan_group(observed(of, worker(3), worker(9))).create == (10,)


def test_a_worker_that_is_being_deleted_by_somebody_is_replaced_at_once() -> None:
    plan = plan_group(observed(group(replicas=2), worker(1), worker(2, deleting=True)))
    assert plan.create == (3,)
    assert plan.remove == ()


def test_a_finished_worker_is_removed_and_replaced_in_one_go() -> None:
    plan = plan_group(observed(group(replicas=1), worker(1, "terminated")))
    assert removed(plan) == {"c-default-1"}
    assert departures(plan) == [None]
    assert plan.create == (2,)
    assert [failure.pod for failure in plan.failures] == [worker(1).name]


def test_a_create_that_nobody_knows_the_outcome_of_is_repeated_under_its_number() -> None:
    of = group(replicas=3, status={"lastWorkerIndex": 3})
    plan = plan_group(observed(of, worker(1), uncertain={3}))
    assert plan.create == (3, 4)
    assert plan.last_index == 4


def test_an_uncertain_create_that_took_effect_is_not_repeated() -> None:
    of = group(replicas=2, status={"lastWorkerIndex": 2})
    assert plan_group(observed(of, worker(1), worker(2), uncertain={2})).create == ()


def test_uncertain_creates_never_make_more_workers_than_are_missing() -> None:
    of = group(replicas=2, status={"lastWorkerIndex": 5})
    assert plan_group(observed(of, worker(1), uncertain={2, 3, 4})).create == (2,)


def test_a_group_whose_workers_keep_ending_waits_before_it_makes_the_next() -> None:
    template = worker_digest(group().spec.worker, "")
    failures = [
        {"pod": f"p{n}", "time": f"2023-11-14T22:13:1{n}Z", "shortLived": True, "template": template}
        for n in range(4)
    ]
    plan = plan_group(observed(group(replicas=1, status={"lastFailures": failures})))
    assert plan.create == ()
    assert plan.again is not None
    assert 0 < plan.again <= 300


def test_a_worker_that_ended_after_a_long_life_is_replaced_without_a_wait() -> None:
    pods = [worker(n, "terminated", exit_code=1, age=3600) for n in range(1, 6)]
    assert plan_group(observed(group(replicas=5), *pods)).create == (6, 7, 8, 9, 10)


def test_workers_that_end_well_because_their_scheduler_went_are_replaced_without_a_wait() -> None:
    pods = [worker(n, "terminated", age=20) for n in range(1, 6)]
    meanwhile = plan_group(observed(group(replicas=5), *pods, scheduler=scheduler("waiting")))
    assert (len(meanwhile.remove), meanwhile.create) == (5, ())
    status = {"lastFailures": [f.as_status() for f in meanwhile.failures], "lastWorkerIndex": 5}
    plan = plan_group(observed(group(replicas=5, status=status), scheduler=scheduler(age=1)))
    assert plan.create == (6, 7, 8, 9, 10)


def test_the_first_workers_are_created_beside_their_scheduler() -> None:
    assert plan_group(observed(group(replicas=2), scheduler=None, roster=None)).create == (1, 2)


def test_a_retired_worker_that_ended_is_removed_without_counting_as_a_failure() -> None:
    done = worker(2, "terminated", age=20)
    of = group(replicas=1, status={"draining": draining(done)})
    plan = plan_group(observed(of, worker(1), done))
    assert [(removal.pod.uid, removal.why) for removal in plan.remove] == [(done.uid, "retired")]
    assert departures(plan) == [Departure.RETIRED]
    assert plan.failures == ()


def test_a_worker_that_failed_while_it_was_to_be_retired_was_not_retired() -> None:
    evicted = replace(worker(2, "terminated", age=20), disruption="EvictionByEvictionAPI")
    of = group(replicas=1, status={"draining": draining(evicted)})
    plan = plan_group(observed(of, worker(1), evicted))
    [removal] = plan.remove
    assert (removal.why, removal.departure) == ("failed before it was retired", Departure.BEREFT)
    assert removal.failed


@pytest.mark.parametrize(("exit_code", "failed"), [(0, False), (1, True)])
def test_a_worker_that_ended_unasked_has_failed_but_for_exit_code_0(exit_code: int, failed: bool) -> None:
    ended = worker(1, "terminated", exit_code=exit_code)
    [removal] = plan_group(observed(group(replicas=1), ended)).remove
    assert (removal.failed, removal.departure) == (failed, None)


def test_workers_that_have_lost_their_scheduler_go_without_one_and_their_results_with_it() -> None:
    plan = plan_group(observed(group(replicas=0), worker(1), scheduler=None, roster=None))
    assert [(r.why, r.departure) for r in plan.remove] == [
        ("its results went with its scheduler", Departure.BEREFT)
    ]


def test_a_retired_worker_whose_deletion_did_not_happen_still_counts_as_retired() -> None:
    done = worker(2, "terminated", age=20)
    of = group(replicas=1, status={"draining": draining(done)})
    first = plan_group(observed(of, worker(1), done))
    after_a_crash = group(replicas=1, status={"draining": [d.as_status() for d in first.drains]})
    again = plan_group(observed(after_a_crash, worker(1), done))
    assert removed(again) == {done.uid}
    assert again.failures == ()


# -- shrinking


def test_workers_that_never_ran_go_first_and_need_no_scheduler() -> None:
    pods = (worker(1), worker(2, "waiting"), worker(3, "unscheduled"), worker(4))
    plan = plan_group(observed(group(replicas=2), *pods, roster=None))
    assert removed(plan) == {"c-default-2", "c-default-3"}
    assert departures(plan) == [Departure.EMPTY, Departure.EMPTY]
    assert (plan.drains, plan.ask) == ((), False)


def test_the_unscheduled_go_before_the_pending() -> None:
    plan = plan_group(observed(group(replicas=1), worker(1, "waiting"), worker(2, "unscheduled")))
    assert removed(plan) == {"c-default-2"}


def test_running_workers_are_chosen_only_by_what_the_scheduler_says_now() -> None:
    pods = (worker(1), worker(2))
    for seen in (None, roster(*map(process, pods), age=60)):
        plan = plan_group(observed(group(replicas=1), *pods, roster=seen))
        assert (plan.ask, plan.remove, plan.drains) == (True, (), ())


def test_a_roster_without_loads_is_not_enough_to_choose_by() -> None:
    pods = (worker(1), worker(2))
    bare = replace(roster(*map(process, pods)), with_loads=False)
    plan = plan_group(observed(group(replicas=1), *pods, roster=bare))
    assert (plan.ask, plan.drains) == (True, ())


def test_the_unknown_go_before_the_idle_before_the_least_loaded() -> None:
    unknown, idle, light, heavy = (worker(n) for n in range(1, 5))
    known = roster(
        process(heavy, busy=4, results=2, memory=900),
        process(idle, memory=500),
        process(light, busy=1, results=50, memory=9000),
    )
    order = [unknown, idle, light, heavy]
    for left in range(4):
        plan = plan_group(observed(group(replicas=left), *order, roster=known))
        assert set(leaving(plan)) == {pod.uid for pod in order[: 4 - left]}


def test_of_equally_busy_workers_the_one_with_the_least_data_goes() -> None:
    small, big = worker(1), worker(2)
    known = roster(process(big, results=1, memory=2_000), process(small, results=9, memory=1_000))
    assert leaving(plan_group(observed(group(replicas=1), big, small, roster=known))) == [small.uid]


def test_all_processes_of_a_pod_count() -> None:
    two, one = worker(1), worker(2)
    known = roster(process(two, 0), process(two, 1, busy=2), process(one, busy=1))
    assert leaving(plan_group(observed(group(replicas=1), two, one, roster=known))) == [one.uid]


def test_chosen_workers_are_retired_and_their_pods_stay_until_they_have_ended() -> None:
    pods = [worker(n) for n in range(1, 5)]
    plan = plan_group(observed(group(replicas=1), *pods))
    assert len(plan.drains) == 3
    assert retired(plan) == set(leaving(plan))
    assert plan.remove == ()


def test_workers_go_at_once_where_no_scheduler_runs() -> None:
    for gone in (None, scheduler("waiting"), scheduler("terminated")):
        plan = plan_group(observed(group(replicas=0), worker(1), roster=None, scheduler=gone))
        assert removed(plan) == {"c-default-1"}


def test_scaling_to_zero_and_back_creates_only_what_the_drains_do_not_give_back() -> None:
    stays, busy = worker(1), worker(2)
    of = group(replicas=3, status={"draining": draining(busy), "lastWorkerIndex": 2})
    plan = plan_group(observed(of, stays, busy, answered={busy.uid: NOW - 3}))
    assert plan.drains == ()
    assert plan.create == (3,)


# -- drains


def test_nothing_is_done_about_a_worker_while_its_scheduler_is_at_work_on_it() -> None:
    pod = worker(2)
    of = group(replicas=1, status={"draining": draining(pod)})
    plan = plan_group(observed(of, worker(1), pod, in_flight={pod.uid}))
    assert (plan.remove, plan.retire, leaving(plan)) == ((), (), [pod.uid])


def test_a_worker_that_is_just_being_retired_is_not_called_back() -> None:
    pod = worker(2)
    of = group(replicas=2, status={"draining": draining(pod), "lastWorkerIndex": 2})
    plan = plan_group(observed(of, worker(1), pod, in_flight={pod.uid}))
    assert leaving(plan) == [pod.uid]
    assert plan.create == (3,)


def test_a_worker_is_not_kept_by_a_roster_from_before_the_scheduler_let_it_go() -> None:
    pod = worker(2)
    of = group(replicas=2, status={"draining": draining(pod), "lastWorkerIndex": 2})
    older = roster(process(worker(1)), process(pod), age=1.5)
    plan = plan_group(observed(of, worker(1), pod, roster=older, answered={pod.uid: NOW - 0.5}))
    assert leaving(plan) == [pod.uid]
    assert plan.ask


def test_no_more_drains_are_kept_than_are_missing() -> None:
    pods = [worker(n) for n in range(1, 4)]
    of = group(replicas=2, status={"draining": draining(*pods)})
    plan = plan_group(observed(of, *pods))
    assert len(plan.drains) == 1
    assert plan.create == ()


def test_after_a_crash_the_chosen_workers_are_the_ones_that_go() -> None:
    idle, chosen = worker(1), worker(2)
    of = group(replicas=1, status={"draining": draining(chosen)})
    known = roster(process(idle), process(chosen, busy=3))
    plan = plan_group(observed(of, idle, chosen, roster=known))
    assert leaving(plan) == [chosen.uid]
    assert retired(plan) == {chosen.uid}


def test_a_worker_that_the_scheduler_let_go_gets_time_to_end_by_itself() -> None:
    pod = worker(2)
    of = group(replicas=1, status={"draining": draining(pod, since=WALL - 90)})
    seen = observed(of, worker(1), pod, roster=roster(process(worker(1))), answered={pod.uid: NOW - 2})
    plan = plan_group(seen)
    assert plan.remove == ()
    assert plan.again == pytest.approx(8)
    later = plan_group(replace(seen, attempts={pod.uid: Attempt(NOW - 60)}))
    assert [(r.pod.uid, r.why, r.lost_results) for r in later.remove] == [(pod.uid, "retired", 0)]
    assert departures(later) == [Departure.RETIRED]


def test_a_worker_that_cannot_be_let_go_blocks_and_is_asked_for_again_later() -> None:
    pod = worker(2)
    of = group(replicas=1, status={"draining": draining(pod)})
    seen = observed(of, worker(1), pod, answered={pod.uid: NOW - 3})
    plan = plan_group(seen)
    assert plan.blocked is not None
    assert plan.blocked.reason == Reason.NO_ROOM_FOR_RESULTS
    assert (plan.remove, plan.retire) == ((), ())
    assert retired(plan_group(replace(seen, attempts={pod.uid: Attempt(NOW - 30)}))) == {pod.uid}


def test_past_its_deadline_a_worker_goes_and_the_loss_is_counted() -> None:
    pod = worker(2)
    of = group(
        replicas=1, worker={"drainTimeoutSeconds": 60}, status={"draining": draining(pod, since=WALL - 61)}
    )
    known = roster(process(worker(1)), process(pod, 0, results=3), process(pod, 1, results=4))
    plan = plan_group(observed(of, worker(1), pod, roster=known, answered={pod.uid: NOW - 3}))
    assert [(removal.pod.uid, removal.lost_results) for removal in plan.remove] == [(pod.uid, 7)]
    assert departures(plan) == [Departure.FORCED]


def test_past_its_deadline_a_worker_that_was_never_asked_for_is_asked_for_first() -> None:
    pod = worker(2)
    of = group(
        replicas=1, worker={"drainTimeoutSeconds": 60}, status={"draining": draining(pod, since=WALL - 600)}
    )
    plan = plan_group(observed(of, worker(1), pod))
    assert plan.remove == ()
    assert retired(plan) == {pod.uid}


def test_a_roster_from_before_the_answer_does_not_mean_that_the_scheduler_refused() -> None:
    pod = worker(2)
    of = group(replicas=1, worker={"drainTimeoutSeconds": 0}, status={"draining": draining(pod)})
    older = roster(process(worker(1)), process(pod), age=1.5)
    plan = plan_group(observed(of, worker(1), pod, roster=older, answered={pod.uid: NOW - 0.5}))
    assert plan.remove == ()
    assert plan.blocked is None
    assert plan.ask


def test_a_draining_worker_whose_container_is_gone_loses_its_pod() -> None:
    pod = worker(2, "waiting")
    of = group(replicas=1, status={"draining": draining(pod)})
    plan = plan_group(observed(of, worker(1), pod))
    assert (removed(plan), departures(plan)) == ({pod.uid}, [Departure.BEREFT])


# -- a scheduler that does not answer


def test_nothing_is_killed_while_the_scheduler_does_not_answer() -> None:
    plan = plan_group(observed(group(replicas=1), worker(1), worker(2), roster=silence()))
    assert (plan.remove, plan.drains) == ((), ())
    assert plan.blocked is not None
    assert plan.blocked.reason == Reason.SCHEDULER_UNREACHABLE
    assert "connection refused" in plan.blocked.message


def test_a_chosen_worker_stays_while_the_scheduler_does_not_answer() -> None:
    pod = worker(2)
    of = group(replicas=1, status={"draining": draining(pod)})
    plan = plan_group(observed(of, worker(1), pod, roster=silence(), answered={pod.uid: NOW - 1}))
    assert plan.remove == ()
    assert plan.blocked is not None


def test_a_chosen_worker_that_is_wanted_again_stays_though_the_scheduler_does_not_answer() -> None:
    pod = worker(2)
    of = group(replicas=2, status={"draining": draining(pod, since=WALL - 590), "lastWorkerIndex": 2})
    plan = plan_group(observed(of, worker(1), pod, roster=silence(), answered={pod.uid: NOW - 60}))
    assert (plan.drains, plan.create, plan.remove) == ((), (), ())


@pytest.mark.parametrize(("waited", "gone"), [(30, 0), (599, 0), (601, 1)])
def test_the_users_limit_decides_how_long_an_unreachable_scheduler_holds_workers(
    waited: float, gone: int
) -> None:
    of = group(replicas=1, status={"unreachableSince": rfc3339(WALL - waited)})
    plan = plan_group(observed(of, worker(1), worker(2), roster=silence()))
    assert departures(plan) == [Departure.FORCED] * gone


@pytest.mark.parametrize(("lasting", "gone"), [(10, 0), (29, 0), (30, 1)])
def test_one_question_in_vain_is_no_silence_however_long_nobody_had_asked(lasting: float, gone: int) -> None:
    silent, pod = silence(lasting=lasting), worker(2)
    unasked = group(replicas=1, status={"unreachableSince": rfc3339(WALL - 3000)})
    chosen = group(replicas=1, status={"draining": draining(pod, since=WALL - 3000)})
    for of in (unasked, chosen):
        plan = plan_group(observed(of, worker(1), pod, roster=silent))
        assert departures(plan) == [Departure.FORCED] * gone
        assert gone or (plan.blocked is not None and 0 < (plan.again or 0) <= 30 - lasting)


def test_a_limit_of_zero_does_not_wait_for_a_scheduler_that_does_not_answer() -> None:
    of = group(replicas=1, worker={"drainTimeoutSeconds": 0})
    assert len(plan_group(observed(of, worker(1), worker(2), roster=silence())).remove) == 1


def test_a_limit_of_zero_still_gives_a_scheduler_that_answers_the_chance_to_save_results() -> None:
    of = group(replicas=1, worker={"drainTimeoutSeconds": 0})
    plan = plan_group(observed(of, worker(1), worker(2)))
    assert plan.remove == ()
    assert len(plan.retire) == 1


def test_a_limit_of_zero_does_not_wait_for_results_that_have_no_room() -> None:
    pod = worker(2)
    of = group(replicas=1, worker={"drainTimeoutSeconds": 0}, status={"draining": draining(pod)})
    assert removed(plan_group(observed(of, worker(1), pod, answered={pod.uid: NOW - 1}))) == {pod.uid}


def test_time_blocked_for_lack_of_room_does_not_count_as_time_without_an_answer() -> None:
    no_room = blocked(WALL - 3000, "NoRoomForResults")
    of = group(replicas=1, status={"conditions": [no_room]})
    assert plan_group(observed(of, worker(1), worker(2), roster=silence())).remove == ()


def test_a_silence_after_a_long_lack_of_room_is_waited_out_from_its_own_beginning() -> None:
    no_room = blocked(WALL - 3000, "NoRoomForResults")
    of = group(replicas=1, status={"conditions": [no_room]})
    seen = observed(of, worker(1), worker(2), roster=silence())
    status = group_status(seen, plan_group(seen), None)
    assert plan_group(replace(seen, group=group(replicas=1, status=status), wall=WALL + 10)).remove == ()


def test_while_an_answer_is_awaited_a_blocked_drain_stays_blocked() -> None:
    of = group(replicas=1, status={"conditions": [blocked(WALL - 30)]})
    for seen in (None, silence(age=60), roster(age=60)):
        plan = plan_group(observed(of, worker(1), worker(2), roster=seen))
        assert plan.ask
        assert plan.blocked is not None


def test_a_group_that_wants_nobody_gone_any_more_is_not_blocked() -> None:
    of = group(replicas=2, status={"conditions": [blocked(WALL - 30)]})
    assert plan_group(observed(of, worker(1), worker(2))).blocked is None


# -- other groups


def test_a_worker_of_another_group_with_the_same_address_is_never_retired() -> None:
    ours = [worker(n, ip="192.168.0.1") for n in (1,)]
    theirs = worker(1, group="other", group_uid="other-uid", ip="192.168.0.1")
    known = roster(process(ours[0]), process(theirs, results=5))
    seen = observed(group(replicas=0), *ours, siblings=(*ours, theirs), roster=known)
    assert [worker.name for worker in seen.placement.of(ours[0])] == [ours[0].name]


def test_no_worker_is_created_and_no_number_spent_while_creation_is_held_back() -> None:
    plan = plan_group(observed(group(replicas=3, status={"lastWorkerIndex": 4}), held=True))
    assert (plan.create, plan.last_index) == ((), 4)
