"""The client says what the user said, and nothing else."""

from typing import Any

import pytest
from dask_operator_api import names
from dask_operator_client.manifests import (
    WorkerKeywords,
    cluster_manifest,
    differences,
    generated_name,
    group_manifest,
)
from hypothesis import given
from hypothesis import strategies as st

MEMORY = {"requests": {"memory": "16Gi"}, "limits": {"memory": "16Gi"}}

KEYWORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "n_workers": st.integers(0, 1000),
        "image": st.sampled_from(["dask:1", "dask:2"]),
        "resources": st.sampled_from([{}, MEMORY, {"limits": {"cpu": 2}}]),
        "env": st.sampled_from([{}, {"FOO": "bar"}, {"FOO": "bar", "N": 1}]),
        "worker_command": st.sampled_from(["dask worker", ["dask", "cuda", "worker"]]),
    },
)


def keywords(**given: Any) -> WorkerKeywords:
    return WorkerKeywords.checked(**given)


def stored(spec: dict[str, Any]) -> dict[str, Any]:
    """A cluster as the API server keeps it: with the custom resource's defaults filled in."""
    return {"spec": {"idleTimeout": 0, **spec, "worker": {"replicas": 1, **spec.get("worker", {})}}}


def test_no_keywords_make_an_empty_spec() -> None:
    assert cluster_manifest("c", "ns", keywords()) == {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": "c", "namespace": "ns"},
        "spec": {},
    }


def test_each_keyword_goes_to_its_place_in_the_short_form() -> None:
    spec = cluster_manifest("c", "ns", keywords(n_workers=3, image="i", env={"A": "b"}, resources=MEMORY))[
        "spec"
    ]
    assert spec == {
        "image": "i",
        "scheduler": {"env": [{"name": "A", "value": "b"}]},
        "worker": {"replicas": 3, "resources": MEMORY, "env": [{"name": "A", "value": "b"}]},
    }


def test_a_worker_command_is_the_only_thing_that_needs_a_pod_template() -> None:
    spec = cluster_manifest("c", "ns", keywords(worker_command="dask cuda worker"))["spec"]
    args = ["dask", "cuda", "worker", "--name", "$(DASK_WORKER_NAME)"]
    assert spec == {"worker": {"spec": {"containers": [{"name": "worker", "args": args}]}}}


def test_a_group_names_its_cluster_and_may_have_its_own_image() -> None:
    body = group_manifest("c", "c-big", "ns", keywords(n_workers=0, image="i"))
    assert body["kind"] == "DaskWorkerGroup"
    assert body["metadata"] == {"name": "c-big", "namespace": "ns"}
    assert body["spec"] == {"cluster": "c", "worker": {"replicas": 0, "image": "i"}}


@given(KEYWORDS)
def test_the_scheduler_and_the_workers_share_nothing_that_could_change_behind_their_back(
    given_keywords: dict[str, Any],
) -> None:
    checked = keywords(**given_keywords)
    spec = cluster_manifest("c", "ns", checked)["spec"]
    before = cluster_manifest("c", "ns", checked)["spec"]
    for variable in spec.get("worker", {}).get("env", []):
        variable["value"] = "changed"
    for amounts in spec.get("worker", {}).get("resources", {}).values():
        amounts["memory"] = "changed"
    assert cluster_manifest("c", "ns", checked)["spec"] == before
    assert spec.get("scheduler") == before.get("scheduler")


@given(KEYWORDS)
def test_a_cluster_made_from_keywords_does_not_differ_from_them(given_keywords: dict[str, Any]) -> None:
    checked = keywords(**given_keywords)
    assert differences(checked, stored(cluster_manifest("c", "ns", checked)["spec"])) == {}


@given(KEYWORDS)
def test_no_keywords_differ_from_no_cluster(given_keywords: dict[str, Any]) -> None:
    existing = stored(cluster_manifest("c", "ns", keywords(**given_keywords))["spec"])
    assert differences(keywords(), existing) == {}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("n_workers", 3),
        ("image", "other"),
        ("resources", MEMORY),
        ("env", {"FOO": "baz"}),
        ("worker_command", "dask cuda worker"),
    ],
)
def test_each_keyword_that_differs_is_named(keyword: str, value: Any) -> None:
    existing = stored({"image": "i", "worker": {"replicas": 2, "env": [{"name": "FOO", "value": "bar"}]}})
    assert list(differences(keywords(**{keyword: value}), existing)) == [keyword]


def test_values_may_stand_in_the_worker_s_container() -> None:
    container = {
        "name": "worker",
        "image": "i",
        "args": ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"],
        "env": [{"name": "FOO", "value": "bar"}],
        "resources": {"limits": {"cpu": 2}},
    }
    existing = stored({"worker": {"replicas": 3, "spec": {"containers": [{"name": "log"}, container]}}})
    same = keywords(
        n_workers=3,
        image="i",
        env={"FOO": "bar"},
        resources={"limits": {"cpu": "2"}},
        worker_command="dask worker",
    )
    assert differences(same, existing) == {}


@given(st.text())
def test_a_generated_name_is_valid_whatever_the_user_is_called(user: str) -> None:
    name = generated_name(user)
    assert names.cluster_name_problem(name) is None
    assert name.startswith("dask-")


def test_a_generated_name_has_the_user_in_it_and_is_new_each_time() -> None:
    first, second = generated_name("Ada.Lovelace"), generated_name("Ada.Lovelace")
    assert first.startswith("dask-ada-lovelace-")
    assert first != second
