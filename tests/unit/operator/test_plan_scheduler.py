"""When a scheduler is made, replaced, left alone or waited for."""

from typing import Any

from dask_operator.desired import scheduler_digest
from dask_operator.observed import Activity, ClusterView, Roster
from dask_operator.plan.cluster_world import ClusterObserved, Create, Delete, Patch
from dask_operator.plan.scheduler import SchedulerPlan, plan_scheduler
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from tests.unit.operator.worlds import NOW, WALL, cluster, scheduler

EDITED = {"scheduler": {"env": [{"name": "A", "value": "b"}]}}
BUSY = Activity(clients=1, tasks=2, results=3)
IDLE = Activity(clients=0, tasks=0, results=0)


def plan(of: ClusterView, **parts: Any) -> SchedulerPlan:
    seen = ClusterObserved(
        cluster=of,
        scheduler=parts.get("scheduler"),
        service=None,
        groups=(),
        workers=(),
        roster=parts.get("roster"),
        now=NOW,
        wall=WALL,
    )
    return plan_scheduler(seen, "image:1", "default:1")


def made_for(of: ClusterView, **parts: Any) -> Any:
    digest = {"kubernetes.dask.org/template-digest": scheduler_digest(of)}
    return scheduler(
        parts.pop("state", "running"), annotations={**digest, **parts.pop("annotations", {})}, **parts
    )


def answer(activity: Activity | None, age: float = 1.0, problem: str = "") -> Roster:
    return Roster("scheduler-uid/0", NOW - age, NOW - age, (), True, activity, problem)


def lost(*ages: float, uid: str = "", **more: Any) -> Manifest:
    """The status of a cluster whose scheduler was lost that many seconds ago."""
    times = [rfc3339(WALL - age) for age in ages]
    return {"scheduler": {"podUID": "last", "lost": times, "lostUID": uid or "last", **more}}


def test_a_missing_scheduler_is_made_at_once_the_first_times() -> None:
    for status in ({}, lost(5), lost(5, 3)):
        [act] = plan(cluster(status=status)).acts
        assert isinstance(act, Create)


def test_one_that_is_missing_and_was_not_yet_told_is_a_loss() -> None:
    status = {"scheduler": {"podUID": "old", "lost": [], "lostUID": ""}}
    decided = plan(cluster(status=status))
    assert (decided.losses, decided.lost) == ((WALL,), "old")
    assert plan(cluster(status={"scheduler": {"podUID": "old", "replacedUID": "old"}})).losses == ()
    assert plan(cluster(status=lost(5))).losses == (WALL - 5,)


def test_the_pause_grows_with_each_loss_of_the_last_minutes_and_is_over_in_the_end() -> None:
    for ages, pause in (((9, 8, 1), 4), ((9, 8, 7, 1), 19), ((9, 8, 7, 6, 1), 79), ((9, 8, 7, 6, 5, 1), 299)):
        decided = plan(cluster(status=lost(*ages)))
        assert decided.acts == ()
        assert decided.wait == decided.again == pause
    assert plan(cluster(status=lost(700, 690, 680, 670))).acts != ()


def test_an_unedited_scheduler_is_left_alone() -> None:
    of = cluster()
    assert plan(of, scheduler=made_for(of)) == SchedulerPlan()


def test_one_that_was_edited_waits_while_somebody_needs_it() -> None:
    decided = plan(cluster(spec=EDITED), scheduler=made_for(cluster()), roster=answer(BUSY))
    assert decided.acts == ()
    assert decided.pending == "the cluster is not idle: 1 clients, 2 tasks, 3 results"
    assert decided.again == 9


def test_one_that_was_edited_is_asked_before_anything_is_decided() -> None:
    for roster in (None, answer(None), answer(BUSY, age=11), answer(IDLE, age=11), answer(IDLE, age=3)):
        decided = plan(cluster(spec=EDITED), scheduler=made_for(cluster()), roster=roster)
        assert (decided.acts, decided.ask) == ((), True)
        assert decided.pending


def test_one_that_was_edited_and_does_not_answer_stays() -> None:
    silent = answer(None, problem="connection refused")
    decided = plan(cluster(spec=EDITED), scheduler=made_for(cluster()), roster=silent)
    assert decided.acts == ()
    assert "connection refused" in decided.pending


def test_one_that_was_edited_is_replaced_when_nobody_needs_it() -> None:
    decided = plan(cluster(spec=EDITED), scheduler=made_for(cluster()), roster=answer(IDLE))
    [act] = decided.acts
    assert isinstance(act, Delete)
    assert (decided.replaced, decided.pending) == ("scheduler-uid", "")


def test_one_that_was_edited_and_does_not_run_is_replaced_at_once() -> None:
    decided = plan(cluster(spec=EDITED), scheduler=made_for(cluster(), state="waiting"))
    assert isinstance(decided.acts[0], Delete)


def test_the_annotation_asks_for_a_new_one_once() -> None:
    asking = cluster(metadata={"annotations": {"kubernetes.dask.org/restart": "today"}})
    [act] = plan(asking, scheduler=made_for(asking), roster=answer(BUSY)).acts
    assert isinstance(act, Delete)
    obeyed = made_for(asking, annotations={"kubernetes.dask.org/restart": "today"})
    assert plan(asking, scheduler=obeyed, roster=answer(BUSY)).acts == ()


def test_labels_are_patched_on_one_that_waits_too() -> None:
    of = cluster(spec={"scheduler": {**EDITED["scheduler"], "metadata": {"labels": {"team": "blue"}}}})
    [act] = plan(of, scheduler=made_for(cluster()), roster=answer(BUSY)).acts
    assert isinstance(act, Patch)
    assert isinstance(act.body, dict)
    assert act.body["metadata"]["labels"] == {"team": "blue"}


def test_the_image_of_the_cluster_is_part_of_the_template_only_where_it_is_used() -> None:
    own = {"spec": {"containers": [{"name": "scheduler", "image": "own"}]}}
    digests = {
        scheduler_digest(cluster(spec={"image": image, "scheduler": own})) for image in ("a", "b", None)
    }
    assert len(digests) == 1
    assert scheduler_digest(cluster(spec={"image": "a"})) != scheduler_digest(cluster(spec={"image": "b"}))
