"""The worker groups and the autoscaler that stand in a cluster's spec."""

from dataclasses import replace
from typing import Any

import pytest
from dask_operator.desired import autoscaler_patch, cluster_autoscaler, cluster_group, wanted_groups
from dask_operator.observed import AutoscalerView, ClusterView, GroupView
from dask_operator.observed.objects import autoscaler_view
from dask_operator.plan.belongings import autoscaler_acts, belonging_conflicts, group_acts
from dask_operator.plan.cluster_world import Act, ClusterObserved, Create, Delete, Patch
from dask_operator_api.manifests import Manifest

from tests.unit.operator.worlds import CLUSTER_UID, NOW, WALL, cluster, group, owned_by

MORE = {"workerGroups": [{"name": "gpu", "worker": {"replicas": 3, "env": [{"name": "A", "value": "1"}]}}]}


def seen(of: ClusterView, *groups: GroupView, autoscaler: AutoscalerView | None = None) -> ClusterObserved:
    return ClusterObserved(of, None, None, groups, (), None, autoscaler=autoscaler, now=NOW, wall=WALL)


def as_made(of: ClusterView, number: int, **metadata: Any) -> GroupView:
    """A group of the spec as the operator made it."""
    body = cluster_group(of, wanted_groups(of)[number])
    parts = {**body["metadata"], **metadata}
    return group(body["metadata"]["name"], worker=body["spec"]["worker"], metadata=parts)


def told(acts: list[Act]) -> list[tuple[str, str]]:
    """What each act is, and the name that it is about."""
    names = []
    for act in acts:
        if isinstance(act, Create):
            names.append(("create", str(act.body["metadata"]["name"])))
        elif isinstance(act, Patch):
            names.append(("patch", act.name))
        elif isinstance(act, Delete):
            names.append(("delete", act.view.name))
    return names


def test_every_group_of_the_spec_is_made() -> None:
    of = cluster(spec=MORE)
    assert told(group_acts(seen(of))) == [("create", "c-default"), ("create", "c-gpu")]
    body = cluster_group(of, wanted_groups(of)[1])
    assert body["spec"] == {"cluster": "c", "worker": {"replicas": 3, "env": [{"name": "A", "value": "1"}]}}


def test_groups_as_they_were_made_are_left_alone() -> None:
    of = cluster(spec=MORE)
    assert group_acts(seen(of, as_made(of, 0), as_made(of, 1))) == []


def test_a_group_follows_an_edit_of_the_spec_but_keeps_a_number_of_its_own() -> None:
    before = cluster(spec=MORE)
    scaled = as_made(before, 1)
    scaled = group("c-gpu", 7, worker={**scaled.worker, "replicas": 7}, metadata=_metadata(before, 1))
    edited = cluster(spec={"workerGroups": [{"name": "gpu", "worker": {"replicas": 3}}]})
    [act] = [act for act in group_acts(seen(edited, as_made(edited, 0), scaled)) if isinstance(act, Patch)]
    assert isinstance(act.body, list)
    [worker] = [item["value"] for item in act.body if item["path"] == "/spec/worker"]
    assert worker == {"replicas": 7}


def _metadata(of: ClusterView, number: int) -> Manifest:
    metadata: Manifest = cluster_group(of, wanted_groups(of)[number])["metadata"]
    return metadata


def test_a_group_that_is_taken_out_of_the_spec_goes_and_one_of_the_users_stays() -> None:
    before, now = cluster(spec=MORE), cluster()
    own = group("c-own", 2, metadata={"ownerReferences": owned_by("DaskCluster", CLUSTER_UID, "c")})
    acts = group_acts(seen(now, as_made(now, 0), as_made(before, 1), own))
    assert told(acts) == [("delete", "c-gpu")]
    going = as_made(before, 1, deletionTimestamp="2026-01-01T00:00:00Z")
    assert group_acts(seen(now, as_made(now, 0), going)) == []


def test_a_group_of_the_users_under_a_name_of_the_spec_is_a_conflict_and_is_not_touched() -> None:
    of = cluster(spec=MORE)
    theirs = group("c-gpu", 1)
    assert group_acts(seen(of, as_made(of, 0), theirs)) == []
    assert [one.name for one in belonging_conflicts(seen(of, as_made(of, 0), theirs))] == ["c-gpu"]
    assert belonging_conflicts(seen(of, as_made(of, 0), as_made(of, 1))) == []


# -- the autoscaler

SCALED = {"autoscaler": {"minimum": 1, "maximum": 5}}


def autoscaler(of: ClusterView, **spec: Any) -> AutoscalerView:
    """The autoscaler as the operator made it, with what the CRD or somebody has added to its spec."""
    body = cluster_autoscaler(of)
    body["metadata"]["uid"] = "autoscaler-uid"
    body["spec"] |= spec
    return autoscaler_view(body)


def test_an_autoscaler_of_the_spec_is_made_and_goes_with_it() -> None:
    of = cluster(spec=SCALED)
    [act] = autoscaler_acts(seen(of))
    assert isinstance(act, Create)
    assert act.body["spec"] == {"cluster": "c", "minimum": 1, "maximum": 5}
    assert autoscaler_acts(seen(of, autoscaler=autoscaler(of))) == []
    assert told(autoscaler_acts(seen(cluster(), autoscaler=autoscaler(of)))) == [("delete", "c")]


def stray(**metadata: Any) -> AutoscalerView:
    """An autoscaler that somebody has made by hand."""
    meta = {"name": "mine", "namespace": "ns", "uid": "u", "resourceVersion": "5", **metadata}
    return autoscaler_view({"metadata": meta, "spec": {"cluster": "c", "minimum": 0, "maximum": 3}})


def test_an_autoscaler_that_names_the_cluster_is_adopted_once() -> None:
    alone = replace(seen(cluster()), autoscalers=(stray(),))
    [act] = autoscaler_acts(alone)
    assert isinstance(act, Patch)
    assert (act.kind, act.name) == ("DaskAutoscaler", "mine")
    [owner] = act.body["metadata"]["ownerReferences"]  # type: ignore[call-overload]
    assert (owner["kind"], owner["controller"]) == ("DaskCluster", True)
    adopted = stray(ownerReferences=[owner])
    assert autoscaler_acts(replace(alone, autoscalers=(adopted,))) == []


def test_an_autoscaler_that_goes_is_not_adopted() -> None:
    going = stray(deletionTimestamp="2026-01-02T03:04:05Z")
    assert autoscaler_acts(replace(seen(cluster()), autoscalers=(going,))) == []


@pytest.mark.parametrize(("now", "patched"), [({"interval": 5}, False), ({"maximum": 9}, True)])
def test_an_autoscaler_follows_what_the_spec_says_and_nothing_else(now: Manifest, patched: bool) -> None:
    of = cluster(spec=SCALED)
    assert bool(autoscaler_patch(of, autoscaler(of, **now))) == patched


def test_a_field_that_is_taken_out_of_the_spec_is_taken_out_of_the_autoscaler() -> None:
    before = cluster(spec={"autoscaler": {**SCALED["autoscaler"], "interval": 9}})
    [spec] = [
        item["value"]
        for item in autoscaler_patch(cluster(spec=SCALED), autoscaler(before))
        if item["path"] == "/spec"
    ]
    assert spec == {"cluster": "c", "minimum": 1, "maximum": 5}


def test_an_autoscaler_of_the_users_is_left_alone_and_is_a_conflict_only_where_one_is_wanted() -> None:
    body = cluster_autoscaler(cluster(spec=SCALED))
    body["metadata"] = {"name": "c", "namespace": "ns", "uid": "theirs"}
    theirs = autoscaler_view(body)
    assert autoscaler_acts(seen(cluster(), autoscaler=theirs)) == []
    assert belonging_conflicts(seen(cluster(), autoscaler=theirs)) == []
    of = cluster(spec=SCALED)
    assert autoscaler_acts(seen(of, autoscaler=theirs)) == []
    assert [one.kind for one in belonging_conflicts(seen(of, autoscaler=theirs))] == ["DaskAutoscaler"]
