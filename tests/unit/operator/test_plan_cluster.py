"""What is done about a cluster's own objects: scheduler Pod, Service, groups."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from dask_operator.desired import default_image, image_in_force, scheduler_pod
from dask_operator.observed import ClusterView, GroupView, PodView, Roster
from dask_operator.observed.objects import cluster_view, group_view
from dask_operator.plan.cluster import ClusterPlan, plan_cluster
from dask_operator.plan.cluster_world import ClusterObserved, Create, Delete, Patch
from dask_operator.plan.world import RETRY_SECONDS, ROSTER_MAX_AGE, Attempt
from dask_operator_api.manifests import Manifest, section
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.worlds import (
    DEFAULT_IMAGE,
    DEFAULTS,
    NOW,
    WALL,
    cluster,
    cluster_body,
    group,
    group_body,
    owned_by,
    process,
    roster,
    scheduler,
    service,
    silence,
    worker,
)


def observed(of: ClusterView, **parts: Any) -> ClusterObserved:
    return ClusterObserved(
        cluster=of,
        scheduler=parts.get("scheduler"),
        service=parts.get("service"),
        groups=parts.get("groups", ()),
        workers=parts.get("workers", ()),
        roster=parts.get("roster"),
        in_flight=frozenset(parts.get("in_flight", ())),
        attempts={uid: Attempt(at) for uid, at in parts.get("answered", {}).items()},
        now=NOW,
        wall=WALL,
    )


def settled(of: ClusterView, **parts: Any) -> ClusterObserved:
    """A cluster that has all its objects."""
    made = default_group_of(of)
    return observed(of, **{"scheduler": scheduler(), "service": service(of), "groups": (made,), **parts})


def default_group_of(of: ClusterView) -> GroupView:
    return group_view(stored(created_group(observed(of))))


def created_group(seen: ClusterObserved) -> Manifest:
    acts = plan_cluster(seen, DEFAULTS).acts
    return next(act.body for act in acts if isinstance(act, Create) and act.kind == "DaskWorkerGroup")


def stored(body: Manifest) -> Manifest:
    body = copy.deepcopy(body)
    body["metadata"] |= {"uid": "group-uid", "resourceVersion": "7", "generation": 1}
    return body


def patched(group_then: GroupView, body: Manifest, plan: ClusterPlan) -> Manifest:
    """The group's body after the plan's JSON patches of it."""
    body = copy.deepcopy(body)
    for act in plan.acts:
        assert isinstance(act, Patch)
        assert isinstance(act.body, list)
        for step in act.body:
            *parents, last = step["path"].strip("/").split("/")
            parent = body
            for key in parents:
                parent = parent[key]
            if step["op"] == "test":
                assert parent[last] == step["value"]
            else:
                parent[last] = copy.deepcopy(step["value"])
    return body


# -- what is created


def test_a_new_cluster_gets_a_scheduler_pod_a_service_and_a_group() -> None:
    plan = plan_cluster(observed(cluster("c", spec={"worker": {"replicas": 3}})), DEFAULTS)
    assert [(act.kind, act.body["metadata"]["name"]) for act in plan.acts if isinstance(act, Create)] == [
        ("Pod", "c-scheduler"),
        ("Service", "c-scheduler"),
        ("DaskWorkerGroup", "c-default"),
    ]
    assert plan.acts[-1].kind == "DaskWorkerGroup"


def test_the_default_group_gets_the_clusters_number_of_workers() -> None:
    of = cluster("c", spec={"worker": {"replicas": 3}})
    assert created_group(observed(of))["spec"] == {"cluster": "c", "worker": {"replicas": 3}}


def test_all_that_is_created_belongs_to_this_very_incarnation() -> None:
    plan = plan_cluster(observed(cluster()), DEFAULTS)
    for act in plan.acts:
        assert isinstance(act, Create)
        (owner,) = act.body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], "blockOwnerDeletion" in owner) == (
            "cluster-uid",
            True,
            False,
        )


def test_a_cluster_that_has_everything_is_left_alone() -> None:
    plan = plan_cluster(settled(cluster()), DEFAULTS)
    assert (plan.acts, plan.conflicts, plan.retire, plan.ask) == ((), (), (), False)


def test_the_image_is_the_users_else_the_one_that_was_found_at_creation() -> None:
    assert image_in_force(cluster(), None, DEFAULT_IMAGE).name == DEFAULT_IMAGE
    assert image_in_force(cluster(status={"defaultImage": "old:1"}), None, DEFAULT_IMAGE).name == "old:1"
    mine = cluster(spec={"image": "mine"}, status={"image": "old:1"})
    assert image_in_force(mine, None, DEFAULT_IMAGE).name == "mine"


def test_until_there_is_a_status_the_image_found_at_creation_is_on_the_cluster_s_own_scheduler() -> None:
    first = replace(scheduler(), default_image="old:1")
    assert default_image(cluster(), first, DEFAULT_IMAGE) == "old:1"
    assert default_image(cluster(), replace(first, owner="of-one-before"), DEFAULT_IMAGE) == DEFAULT_IMAGE
    assert default_image(cluster(status={"defaultImage": "older:0"}), first, DEFAULT_IMAGE) == "older:0"
    ended = replace(scheduler("terminated"), default_image="old:1")
    assert default_image(cluster(), ended, DEFAULT_IMAGE) == "old:1"


def test_an_edited_image_is_in_force_as_soon_as_the_scheduler_of_the_former_one_has_ended() -> None:
    edited = cluster(spec={"image": "new:2"})
    assert image_in_force(edited, replace(scheduler(), cluster_image="old:1"), DEFAULT_IMAGE).name == "old:1"
    ended = replace(scheduler("terminated"), cluster_image="old:1")
    assert image_in_force(edited, ended, DEFAULT_IMAGE).name == "new:2"


def test_a_scheduler_that_has_ended_is_deleted_so_that_the_next_pass_makes_another() -> None:
    plan = plan_cluster(settled(cluster(), scheduler=scheduler("terminated")), DEFAULTS)
    assert [(type(act), act.kind) for act in plan.acts] == [(Delete, "Pod")]


def test_a_scheduler_that_has_ended_for_want_of_work_ends_the_cluster() -> None:
    idle = cluster(spec={"idleTimeout": 30})
    [act] = plan_cluster(settled(idle, scheduler=scheduler("terminated")), DEFAULTS).acts
    assert isinstance(act, Delete)
    assert (act.kind, act.view.name) == ("DaskCluster", "c")
    assert "30 s without work" in act.why


@pytest.mark.parametrize("how", [{"deleting": True}, {"phase": "Failed"}, {"state": "running"}])
def test_a_scheduler_that_has_not_ended_by_itself_ends_no_cluster(how: dict[str, Any]) -> None:
    idle = cluster(spec={"idleTimeout": 30})
    acts = plan_cluster(settled(idle, scheduler=scheduler(**{"state": "terminated", **how})), DEFAULTS).acts
    assert all(act.kind != "DaskCluster" for act in acts)


def test_an_idle_timeout_is_told_to_the_scheduler_and_changes_nothing_else() -> None:
    def environment(seconds: int) -> dict[str, str]:
        body = scheduler_pod(cluster(spec={"idleTimeout": seconds}), "image", "default")
        return {item["name"]: item.get("value", "") for item in body["spec"]["containers"][0]["env"]}

    idle = environment(90)
    assert idle.pop("DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT") == "90s"
    assert idle == environment(0)


def test_a_scheduler_that_is_being_deleted_is_waited_out() -> None:
    for state in ("running", "terminated"):
        plan = plan_cluster(settled(cluster(), scheduler=scheduler(state, deleting=True)), DEFAULTS)
        assert plan.acts == ()


# -- names that are taken


def test_what_belongs_to_somebody_else_is_a_conflict_and_is_not_touched() -> None:
    taken = scheduler("terminated", owner="job-uid", owner_kind="Job")
    plan = plan_cluster(settled(cluster(), scheduler=taken), DEFAULTS)
    assert [conflict.kind for conflict in plan.conflicts] == ["Pod"]
    assert plan.acts == ()
    assert "c-scheduler" in plan.conflicts[0].message


def test_what_is_left_of_a_former_cluster_of_the_name_is_waited_out_without_a_conflict() -> None:
    former = scheduler(owner="former-uid")
    old_group = group(metadata={"ownerReferences": owned_by("DaskCluster", "former-uid")})
    plan = plan_cluster(settled(cluster(), scheduler=former, groups=(old_group,)), DEFAULTS)
    assert (plan.conflicts, plan.acts) == ((), ())


def test_a_service_without_an_owner_is_a_conflict() -> None:
    of = cluster()
    plan = plan_cluster(settled(of, service=service(of, ownerReferences=[])), DEFAULTS)
    assert [conflict.kind for conflict in plan.conflicts] == ["Service"]


# -- groups


def test_a_group_that_names_the_cluster_is_adopted_and_keeps_its_other_owners() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x-uid"}
    loner = group("extra", uid="extra-uid", metadata={"ownerReferences": [other]})
    of = cluster()
    plan = plan_cluster(settled(of, groups=(default_group_of(of), loner)), DEFAULTS)
    (adoption,) = plan.acts
    assert isinstance(adoption, Patch)
    assert isinstance(adoption.body, dict)
    references = adoption.body["metadata"]["ownerReferences"]
    assert [reference["uid"] for reference in references] == ["x-uid", "cluster-uid"]
    assert adoption.body["metadata"]["uid"] == "extra-uid"


def test_a_group_of_another_cluster_or_on_its_way_out_is_not_adopted() -> None:
    foreign = group("extra", metadata={"ownerReferences": owned_by("DaskCluster", "other-uid")})
    leaving = group("late", metadata={"ownerReferences": [], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    of = cluster()
    assert plan_cluster(settled(of, groups=(default_group_of(of), foreign, leaving)), DEFAULTS).acts == ()


def test_a_default_group_that_is_being_deleted_is_not_created_beside_itself() -> None:
    leaving = group(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert plan_cluster(settled(cluster(), groups=(leaving,)), DEFAULTS).acts == ()


def test_an_extra_group_follows_nothing() -> None:
    of = cluster(spec={"worker": {"replicas": 9, "image": "w"}})
    extra = group("extra", replicas=2)
    assert plan_cluster(settled(of, groups=(default_group_of(of), extra)), DEFAULTS).acts == ()


def test_the_default_group_follows_every_field_but_the_number_of_workers() -> None:
    before = cluster(spec={"worker": {"replicas": 2, "image": "one"}})
    held = stored(created_group(observed(before)))
    held["spec"]["worker"]["replicas"] = 5
    after = cluster(spec={"worker": {"replicas": 2, "image": "two", "env": [{"name": "A", "value": "1"}]}})
    plan = plan_cluster(settled(after, groups=(group_view(held),)), DEFAULTS)
    result = patched(group_view(held), held, plan)
    assert result["spec"]["worker"] == {"replicas": 5, "image": "two", "env": [{"name": "A", "value": "1"}]}


def test_a_field_that_the_user_removed_from_the_cluster_goes_from_the_group_too() -> None:
    before = cluster(spec={"worker": {"image": "one"}})
    held = stored(created_group(observed(before)))
    plan = plan_cluster(settled(cluster(), groups=(group_view(held),)), DEFAULTS)
    assert patched(group_view(held), held, plan)["spec"]["worker"] == {"replicas": 1}


EDITS = st.lists(
    st.tuples(st.sampled_from(["cluster", "group", "image", "operator", "lost write"]), st.integers(0, 5)),
    max_size=12,
)


@settings(max_examples=100)
@given(EDITS)
def test_the_last_edit_of_either_replica_number_wins(edits: list[tuple[str, int]]) -> None:
    """The operator may run after any edit, and any of its writes may be refused because of a newer one."""
    wrote = cluster_body(spec={"worker": {"replicas": 1}})
    held = stored(created_group(observed(cluster_view(wrote))))
    expected = copied = 1
    for who, number in edits:
        if who == "group":
            held["spec"]["worker"]["replicas"] = expected = number
        elif who == "cluster":
            wrote["spec"]["worker"]["replicas"] = number
        elif who == "image":
            wrote["spec"]["worker"]["image"] = f"image:{number}"
        elif who == "operator":
            expected, copied = _follow(wrote, held, expected, copied)
    expected, _ = _follow(wrote, held, expected, copied)
    assert held["spec"]["worker"]["replicas"] == expected
    assert held["spec"]["worker"].get("image") == wrote["spec"]["worker"].get("image")
    assert plan_cluster(settled(cluster_view(wrote), groups=(group_view(held),)), DEFAULTS).acts == ()


def _follow(wrote: Manifest, held: Manifest, expected: int, copied: int) -> tuple[int, int]:
    number = wrote["spec"]["worker"]["replicas"]
    plan = plan_cluster(settled(cluster_view(wrote), groups=(group_view(held),)), DEFAULTS)
    held.update(patched(group_view(held), held, plan))
    return (expected if number == copied else number), number


def test_a_patch_of_a_group_that_somebody_changed_meanwhile_fails_its_test() -> None:
    of = cluster(spec={"worker": {"image": "new"}})
    (patch,) = plan_cluster(settled(of, groups=(group(),)), DEFAULTS).acts
    assert isinstance(patch, Patch)
    assert isinstance(patch.body, list)
    tests = {step["path"]: step["value"] for step in patch.body if step["op"] == "test"}
    assert tests == {"/metadata/uid": "group-uid", "/metadata/resourceVersion": "1"}


# -- the Service


def test_an_edited_service_is_patched_once() -> None:
    before, after = cluster(), cluster(spec={"scheduler": {"service": {"type": "LoadBalancer"}}})
    (patch,) = plan_cluster(settled(after, service=service(before)), DEFAULTS).acts
    assert isinstance(patch, Patch)
    assert isinstance(patch.body, dict)
    assert patch.body["spec"]["type"] == "LoadBalancer"
    assert patch.body["metadata"]["resourceVersion"] == "5"
    assert plan_cluster(settled(after), DEFAULTS).acts == ()


def test_a_new_label_of_the_cluster_reaches_its_scheduler_its_service_and_its_group() -> None:
    before, after = cluster(), cluster(metadata={"labels": {"team": "blue"}})
    seen = settled(after, service=service(before), groups=(default_group_of(before),))
    plan = plan_cluster(seen, DEFAULTS)
    assert {act.kind for act in plan.acts} == {"Pod", "Service", "DaskWorkerGroup"}


def test_what_tools_note_on_a_cluster_changes_nothing() -> None:
    noted = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kopf.zalando.org/x": "1"}
    after = cluster(metadata={"annotations": noted})
    seen = settled(after, service=service(cluster()), groups=(default_group_of(cluster()),))
    assert plan_cluster(seen, DEFAULTS).acts == ()


# -- workers whose Pods somebody deletes


def test_workers_that_somebody_deletes_are_retired_while_their_grace_period_lasts() -> None:
    going, staying = worker(1, deleting=True), worker(2)
    known = roster(process(going), process(staying))
    plan = plan_cluster(settled(cluster(), workers=(going, staying), roster=known), DEFAULTS)
    assert plan.retire == (going,)


def test_the_scheduler_is_asked_about_leaving_workers_if_it_has_said_nothing_yet() -> None:
    plan = plan_cluster(settled(cluster(), workers=(worker(1, deleting=True),)), DEFAULTS)
    assert (plan.ask, plan.retire) == (True, ())


def test_a_leaving_worker_that_connects_late_is_looked_for_until_its_container_ends() -> None:
    going, staying = worker(1, deleting=True), worker(2)

    def planned(going: PodView, known: Roster) -> ClusterPlan:
        return plan_cluster(settled(cluster(), workers=(going, staying), roster=known), DEFAULTS)

    early = planned(going, roster(process(staying)))
    assert (early.retire, early.ask, early.again) == ((), False, ROSTER_MAX_AGE)
    assert planned(going, roster(process(staying), age=ROSTER_MAX_AGE + 0.1)).ask
    assert planned(going, roster(process(staying), process(going))).retire == (going,)
    ended = planned(worker(1, "terminated", deleting=True), roster(process(staying), age=600))
    assert (ended.retire, ended.ask) == ((), False)


def test_leaving_workers_are_not_retired_twice_nor_without_a_scheduler() -> None:
    going = worker(1, deleting=True)
    known = roster(process(going))
    for parts in (
        {"in_flight": {going.uid}},
        {"answered": {going.uid: NOW - 1}},
        {"scheduler": scheduler("waiting")},
        {"roster": silence()},
    ):
        plan = plan_cluster(settled(cluster(), **{"workers": (going,), "roster": known, **parts}), DEFAULTS)
        assert plan.retire == ()


def test_a_leaving_worker_that_could_not_be_retired_is_asked_for_again() -> None:
    going = worker(1, deleting=True)
    seen = settled(cluster(), workers=(going,), roster=roster(process(going)), answered={going.uid: NOW - 30})
    assert plan_cluster(seen, DEFAULTS).retire == (going,)


def test_a_leaving_worker_is_looked_at_again_after_every_try_for_as_long_as_it_runs() -> None:
    going = worker(1, deleting=True)

    def again(**parts: Any) -> float | None:
        known = {"workers": (going,), "roster": roster(process(going)), **parts}
        return plan_cluster(settled(cluster(), **known), DEFAULTS).again

    assert again() == RETRY_SECONDS
    assert again(in_flight={going.uid}) == RETRY_SECONDS
    assert again(answered={going.uid: NOW - 1}) == RETRY_SECONDS - 1
    assert again(in_flight={going.uid}, answered={going.uid: NOW - 60}) == RETRY_SECONDS


def test_a_scheduler_that_ends_again_and_again_is_replaced_ever_more_slowly() -> None:
    often = cluster(status={"scheduler": {"restarts": 1000}})
    plan = plan_cluster(settled(often, scheduler=scheduler("terminated", age=1)), DEFAULTS)
    assert plan.acts == () or plan.again is None
    young = plan_cluster(settled(often, scheduler=scheduler("terminated")), DEFAULTS)
    assert young.again is None or young.again <= 300


def test_leaving_workers_are_looked_up_again_where_the_scheduler_was_asked_long_ago() -> None:
    going = worker(1, deleting=True)
    plan = plan_cluster(settled(cluster(), workers=(going,), roster=roster(age=600)), DEFAULTS)
    assert plan.ask


def test_planning_changes_nothing_in_what_was_observed() -> None:
    body = cluster_body(
        spec={"scheduler": {"spec": {"containers": [{"name": "s"}]}, "service": {"a": {"b": 1}}}}
    )
    before = copy.deepcopy(body)
    of = cluster_view(body)
    for act in plan_cluster(observed(of), DEFAULTS).acts:
        assert isinstance(act, Create)
        act.body["metadata"]["labels"]["x"] = "y"
        section(act.body, "spec").clear()
        act.body["spec"].clear()
    assert body == before
    assert of == cluster_view(before)


def test_group_bodies_read_back_as_they_were_written() -> None:
    assert group_view(group_body(replicas=4)).spec.worker.replicas == 4
