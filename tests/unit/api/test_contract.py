"""The contract package: names, manifests, specs."""

import copy
import re
from typing import Any

import pytest
from dask_operator_api import names
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import items, section, without_nulls
from dask_operator_api.specs import ClusterSpec, WorkerGroupSpec, WorkerSpec
from hypothesis import given, settings
from hypothesis import strategies as st

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("name", ["a", "my-cluster", "a0", "x" * 53])
def test_a_good_name_has_no_problem(name: str) -> None:
    assert names.cluster_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "0a", "-a", "a-", "A", "a.b", "a_b", "a\n", "ä", "a b"])
def test_a_bad_name_is_told_with_the_rule(name: str) -> None:
    problem = names.cluster_name_problem(name)
    assert problem is not None
    assert "start with a letter" in problem


def test_a_name_that_is_too_long_is_told_with_its_length() -> None:
    problem = names.cluster_name_problem("x" * 54)
    assert problem is not None
    assert "54" in problem
    assert "53" in problem
    assert names.worker_group_name_problem("x" * 54) is None


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?", fullmatch=True))
def test_every_child_of_a_well_named_cluster_has_a_good_name(name: str) -> None:
    assert names.cluster_name_problem(name) is None
    for child in (names.scheduler_name(name), names.default_group_name(name)):
        assert DNS_LABEL.fullmatch(child)
        assert names.worker_group_name_problem(child) is None
    assert names.scheduler_host(name, "ns") == f"{name}-scheduler.ns.svc"


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(["uid-1", "uid-2"]), st.integers(1, 999)), unique=True, max_size=30)
)
def test_no_two_workers_share_a_name_and_each_always_gets_the_same(workers: list[tuple[str, int]]) -> None:
    given_names = [names.worker_pod_name("g", uid, index) for uid, index in workers]
    assert len(set(given_names)) == len(workers)
    assert given_names == [names.worker_pod_name("g", uid, index) for uid, index in workers]


@given(JSON, st.lists(st.text("abc", max_size=2), min_size=1, max_size=3))
def test_reading_a_path_never_fails_and_never_gives_null(body: Any, path: list[str]) -> None:
    holder = {"a": body}
    assert isinstance(section(holder, *path), dict)
    assert all(isinstance(item, dict) for item in items(holder, *path))


@given(JSON)
def test_without_nulls_copies_and_drops_only_keys_whose_value_is_null(body: Any) -> None:
    before = copy.deepcopy(body)
    cleaned = without_nulls(body)
    assert body == before
    assert without_nulls(cleaned) == cleaned
    assert not _null_keys(cleaned)


def _null_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return any(item is None or _null_keys(item) for item in value.values())
    return isinstance(value, list) and any(_null_keys(item) for item in value)


def test_the_tiny_spec_has_defaults_for_all_the_rest() -> None:
    spec = ClusterSpec.parse({"image": "i", "worker": {"replicas": 3}})
    assert (spec.image, spec.worker.replicas, spec.worker.drain_timeout) == ("i", 3, 600)
    assert (spec.scheduler.pod, spec.scheduler.env) == ({}, ())


def test_zero_is_a_number_and_null_is_not() -> None:
    assert WorkerSpec.parse({"replicas": 0, "drainTimeoutSeconds": 0}).replicas == 0
    assert WorkerSpec.parse({"drainTimeoutSeconds": 0}).drain_timeout == 0
    nulls = dict.fromkeys(
        ("replicas", "drainTimeoutSeconds", "spec", "metadata", "env", "image", "resources")
    )
    assert WorkerSpec.parse(nulls) == WorkerSpec()


PARTS = st.dictionaries(
    st.sampled_from(["spec", "service", "resources"]), st.dictionaries(st.text("ab"), JSON)
)


@settings(max_examples=50)
@given(PARTS, PARTS)
def test_specs_keep_nothing_of_the_body_that_they_were_read_from(
    scheduler: dict[str, Any], worker: dict[str, Any]
) -> None:
    body = {"scheduler": scheduler, "worker": worker}
    before = copy.deepcopy(body)
    spec = ClusterSpec.parse(body)
    spec.worker.pod["x"] = spec.scheduler.service["x"] = 1
    assert body == before


def test_a_group_names_its_cluster() -> None:
    assert WorkerGroupSpec.parse({"cluster": "c", "worker": {"replicas": 2}}).cluster == "c"
    assert WorkerGroupSpec.parse({}).cluster == ""


def test_plural_names_are_those_of_the_urls() -> None:
    assert [kind.plural for kind in Kind] == [
        "daskclusters",
        "daskworkergroups",
        "daskjobs",
        "daskautoscalers",
    ]
