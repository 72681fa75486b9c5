"""What is deleted of clusters that are gone, and of nodes that do not answer."""

from dask_operator.observed import PodView
from dask_operator.observed.pods import pod_view
from dask_operator.plan.leftovers import Leftover, goes_with_cluster, leftovers
from dask_operator.plan.overdue import OVERDUE_SECONDS, overdue
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operator.worlds import CLUSTER_UID, WALL, group, owned_by, scheduler, worker, worker_body

ALL = Leftover(CLUSTER_UID, "c-default")


def test_workers_of_a_cluster_that_is_gone_are_left_over() -> None:
    pods = [worker(1), worker(2, "waiting"), scheduler()]
    assert leftovers(pods, "") == leftovers(pods, "another-uid") == {ALL}


def test_workers_of_a_cluster_that_lives_or_that_go_already_are_not() -> None:
    assert leftovers([worker(1)], CLUSTER_UID) == set()
    assert leftovers([worker(1, deleting=True)], "") == set()


def test_a_group_that_was_left_behind_on_purpose_is_spared() -> None:
    body = worker_body(2)
    body["metadata"]["ownerReferences"] = []
    assert leftovers([worker(1), pod_view(body)], "") == set()
    assert goes_with_cluster(None, ALL)
    assert goes_with_cluster(group(), ALL)
    assert not goes_with_cluster(group(metadata={"ownerReferences": []}), ALL)
    adopted = group(metadata={"ownerReferences": owned_by("DaskCluster", "another-uid")})
    assert not goes_with_cluster(adopted, ALL)


def test_leftovers_are_pods_of_one_incarnation_and_group_that_nobody_deletes_yet() -> None:
    assert ALL.has(worker(1))
    assert not ALL.has(worker(1, deleting=True))
    assert not ALL.has(scheduler())
    assert not Leftover("another-uid", "c-default").has(worker(1))


def late(seconds: float, **metadata: object) -> PodView:
    """A Pod that should have been gone that many seconds ago."""
    body = worker_body(1, deleting=True)
    body["metadata"] |= metadata
    view = pod_view(body)
    assert view.deadline == WALL
    return view


@given(st.floats(0, 3600))
def test_a_pod_is_ended_by_force_a_minute_after_its_grace_and_not_before(seconds: float) -> None:
    acts, later = overdue([late(seconds), worker(2)], WALL + seconds)
    if seconds >= OVERDUE_SECONDS:
        assert [act.at_once for act in acts] == [True]
        assert later is None
    else:
        assert acts == ()
        assert later is not None
        assert abs(later - (OVERDUE_SECONDS - seconds)) < 1e-6


def test_a_pod_that_a_finalizer_keeps_is_somebody_elses() -> None:
    assert overdue([late(0, finalizers=["example.com/x"])], WALL + 3600) == ((), None)
