"""How the tools of the fault tests name a call, and judge a namespace."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.api_calls import Point, identify
from tests.support.exactness import Wanted, late, wrong
from tests.support.fault_sweep import Case, Report, until_met
from tests.support.faults import Fault, faults_of
from tests.support.scenario import Life
from tests.support.worlds import World

GROUPS = "/apis/kubernetes.dask.org/v1/namespaces/ns/daskworkergroups"
PODS = "/api/v1/namespaces/ns/pods"


def _pod(name: str) -> bytes:
    return json.dumps({"metadata": {"name": name}}).encode()


@pytest.mark.parametrize(
    ("method", "url", "body", "expected"),
    [
        ("GET", "/api/v1/pods?labelSelector=a", b"", ("", Point("list", "pods", "all by a"))),
        ("GET", "/api/v1/pods?watch=true", b"", ("", Point("watch", "pods", "all"))),
        ("GET", f"{PODS}/c-scheduler", b"", ("ns", Point("get", "pods", "c-scheduler"))),
        ("GET", f"{PODS}/c-scheduler/log?tailLines=3", b"", ("ns", Point("get", "pods/log", "c-scheduler"))),
        (
            "POST",
            f"{PODS}?fieldManager=x",
            _pod("c-default-worker-0123456789"),
            ("ns", Point("create", "pods", "worker of c-default")),
        ),
        ("PATCH", f"{GROUPS}/g/status?x=y", b"{}", ("ns", Point("patch", "daskworkergroups/status", "g"))),
        ("PATCH", f"{GROUPS}/g", b"[]", ("ns", Point("patch", "daskworkergroups", "g"))),
        ("DELETE", f"{PODS}/p", b"", ("ns", Point("delete", "pods", "p"))),
        (
            "DELETE",
            f"{PODS}?labelSelector=b%3D1%2Ca%3D2",
            b"",
            ("ns", Point("deletecollection", "pods", "all by a,b")),
        ),
        ("POST", "/api/v1/namespaces", _pod("n"), ("", Point("create", "namespaces", "n"))),
        ("GET", "/api/v1/namespaces/n", b"", ("", Point("get", "namespaces", "n"))),
    ],
)
def test_a_call_has_the_same_name_in_every_run(
    method: str, url: str, body: bytes, expected: tuple[str, Point]
) -> None:
    call = identify(method, url, body)
    assert call is not None
    assert (call.namespace, call.point) == expected


def test_an_event_is_named_by_what_has_happened() -> None:
    event = {
        "metadata": {"name": "c.0123456789abcdef"},
        "reason": "Created",
        "involvedObject": {"name": "c"},
    }
    call = identify("POST", "/api/v1/namespaces/ns/events", json.dumps(event).encode())
    assert call is not None
    assert call.point == Point("create", "events", "Created of c")


def test_discovery_is_no_call_about_a_resource() -> None:
    assert identify("GET", "/apis", b"") is None
    assert identify("GET", "/version", b"") is None


def test_a_read_is_never_answered_409_and_has_no_effect_to_be_unsure_of() -> None:
    assert set(Fault) - set(faults_of(Point("get", "pods", "p"))) == {Fault.CONFLICT, Fault.CUT_AFTER}
    assert set(faults_of(Point("delete", "pods", "p"))) == set(Fault)


def _worker(name: str, index: int, group_uid: str, uid: str, version: int = 7) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {
                "dask.org/workergroup-name": "life-default",
                "kubernetes.dask.org/cluster-uid": "c",
            },
            "annotations": {"kubernetes.dask.org/worker-index": str(index)},
            "ownerReferences": [{"uid": group_uid, "controller": True}],
        },
        "spec": {"containers": [{}]},
        "status": {"phase": "Running"},
    }


def test_a_number_given_twice_an_orphan_and_a_pod_too_many_are_told() -> None:
    world = World()
    world.saw("pods", "ADDED", _worker("a", 1, "nobody", "1"))
    world.saw("pods", "ADDED", _worker("b", 1, "nobody", "2"))
    told = "; ".join(wrong(world, Wanted({"life-default": 1}, {"life-default": 1})))
    assert "given twice: ('life-default', 1)" in told
    assert "pods a is an orphan" in told
    assert "Pods ever made: {'life-default': 2}" in told
    assert wrong(world, None) == ["left: {'pods': ['a', 'b']}"]


def test_what_is_gone_is_still_remembered_as_made() -> None:
    world = World()
    pod = _worker("a", 1, "nobody", "1")
    world.saw("pods", "ADDED", pod)
    world.saw("pods", "DELETED", pod)
    assert wrong(world, None) == []
    assert [made.index for made in world.made.values()] == [1]


def test_late_is_a_worker_that_was_made_after_the_end_of_its_own_cluster() -> None:
    world = World()
    for uid, version in (("another", 3), ("c", 8)):
        gone = {"metadata": {"name": "life", "uid": uid, "resourceVersion": str(version)}}
        world.saw("daskclusters", "DELETED", gone)
    world.saw("pods", "ADDED", _worker("in-time", 1, "g", "1", version=7))
    world.saw("pods", "ADDED", _worker("late", 2, "g", "2", version=9))
    assert late(world) == ["late was created after its cluster was gone"]


@pytest.mark.parametrize(("come", "tried", "met"), [((1, 3, 4, 5), 5, 3), ((1,), 6, 1), ((0, 1, 2), 3, 3)])
async def test_another_case_takes_the_place_of_one_whose_call_did_not_come(
    come: Sequence[int], tried: int, met: int
) -> None:
    cases = [Case(Point("get", "pods", "p", nth), Fault.SERVER_ERROR) for nth in range(8)]

    async def try_cases(some: Sequence[Case]) -> Report:
        return Report([Life(str(case)) for case in some], [c for c in some if c.point.nth not in come], [])

    report = await until_met(try_cases, cases, 3)
    assert [life.namespace for life in report.lives] == [str(case) for case in cases[:tried]]
    assert report.met == met
