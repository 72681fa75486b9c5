"""The client says what the user said, and nothing else."""

from typing import Any

import pytest
from dask_operator_api import names
from dask_operator_client.keywords import Keywords
from dask_operator_client.manifests import cluster_manifest, differences, group_manifest
from dask_operator_client.naming import filled_name, generated_name
from hypothesis import given
from hypothesis import strategies as st

MEMORY = {"requests": {"memory": "16Gi"}, "limits": {"memory": "16Gi"}}

KEYWORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "n_workers": st.integers(0, 1000),
        "image": st.sampled_from(["dask:1", "dask:2"]),
        "resources": st.sampled_from([{}, MEMORY, {"limits": {"cpu": 2}}]),
        "scheduler_resources": st.sampled_from([MEMORY, {"limits": {"cpu": 2}}]),
        "priority_class": st.just("high"),
        "jupyter": st.booleans(),
        "idle_timeout": st.integers(0, 100),
        "scheduler_service_type": st.sampled_from(["ClusterIP", "NodePort"]),
        "worker_pod": st.sampled_from(
            [{}, {"tolerations": [{"key": "a"}]}, {"containers": [{"volumeMounts": [{"mountPath": "/a"}]}]}]
        ),
        "scheduler_pod": st.sampled_from([{}, {"metadata": {"labels": {"a": "b"}}}]),
        "env": st.sampled_from([{}, {"FOO": "bar"}, {"FOO": "bar", "N": 1}]),
        "worker_command": st.sampled_from(["dask worker", ["dask", "cuda", "worker"]]),
    },
)


def keywords(**given: Any) -> Keywords:
    return Keywords.checked(**given)


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
        ("scheduler_resources", MEMORY),
        ("priority_class", "high"),
        ("jupyter", True),
        ("idle_timeout", 60),
        ("scheduler_service_type", "NodePort"),
        ("worker_pod", {"nodeSelector": {"a": "b"}}),
        ("scheduler_pod", {"nodeSelector": {"a": "b"}}),
    ],
)
def test_each_keyword_that_differs_is_named(keyword: str, value: Any) -> None:
    env = [{"name": "FOO", "value": "bar"}]
    existing = stored({"image": "i", "scheduler": {"env": env}, "worker": {"replicas": 2, "env": env}})
    assert list(differences(keywords(**{keyword: value}), existing)) == [keyword]


def test_values_may_stand_in_the_worker_s_container() -> None:
    container = {
        "name": "worker",
        "image": "i",
        "args": ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"],
        "env": [{"name": "FOO", "value": "bar"}],
        "resources": {"limits": {"cpu": 2}},
    }
    existing = stored(
        {
            "scheduler": {
                "spec": {"containers": [{"name": "scheduler", "image": "i", "env": container["env"]}]}
            },
            "worker": {"replicas": 3, "spec": {"containers": [{"name": "log"}, container]}},
        }
    )
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


CUSTOM: dict[str, Any] = {
    "metadata": {"name": "own", "labels": {"team": "a"}},
    "spec": {
        "scheduler": {
            "spec": {"containers": [{"name": "scheduler", "image": "own:1", "command": ["start"]}]}
        },
        "worker": {
            "replicas": 1,
            "spec": {
                "nodeSelector": {"disk": "fast"},
                "containers": [
                    {"name": "log"},
                    {
                        "name": "worker",
                        "image": "own:1",
                        "command": ["start"],
                        "env": [{"name": "FOO", "value": "own"}, {"name": "KEPT", "value": "1"}],
                        "resources": {"limits": {"cpu": "1"}},
                    },
                ],
            },
        },
    },
}


def over_custom(**given: Any) -> dict[str, Any]:
    spec: dict[str, Any] = cluster_manifest("own", "ns", Keywords(keywords(**given).said, CUSTOM))["spec"]
    return spec


def test_a_custom_spec_alone_is_sent_as_it_is_with_its_labels() -> None:
    body = cluster_manifest("own", "ns", Keywords({}, CUSTOM))
    assert body["spec"] == CUSTOM["spec"]
    assert body["metadata"] == {"name": "own", "namespace": "ns", "labels": {"team": "a"}}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("n_workers", 3),
        ("image", "other"),
        ("resources", MEMORY),
        ("scheduler_resources", MEMORY),
        ("env", {"FOO": "baz"}),
        ("worker_command", "dask cuda worker"),
        ("jupyter", True),
        ("idle_timeout", 60),
        ("scheduler_service_type", "NodePort"),
        ("priority_class", "high"),
        ("worker_pod", {"containers": [{"volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}),
        ("scheduler_pod", {"metadata": {"labels": {"a": "b"}}}),
    ],
)
def test_every_keyword_is_laid_over_a_custom_spec_and_is_then_in_force(keyword: str, value: Any) -> None:
    before = over_custom()
    after = over_custom(**{keyword: value})
    assert after != before
    wanted = Keywords(keywords(**{keyword: value}).said, CUSTOM)
    assert differences(wanted, {"spec": after}) == {}
    assert keyword in differences(wanted, {"spec": before})


def test_keywords_win_where_a_custom_spec_s_container_would_hide_the_short_form() -> None:
    spec = over_custom(image="new:2", env={"FOO": "new", "MORE": "x"}, resources={"limits": {"cpu": 4}})
    log, worker = spec["worker"]["spec"]["containers"]
    assert log == {"name": "log"}
    assert worker["image"] == spec["scheduler"]["spec"]["containers"][0]["image"] == "new:2"
    assert worker["env"] == [{"name": "FOO", "value": "new"}, {"name": "KEPT", "value": "1"}]
    assert spec["worker"]["env"] == [{"name": "MORE", "value": "x"}]
    assert worker["resources"] == {"limits": {"cpu": "4"}}
    assert "image" not in spec


def test_a_worker_command_takes_the_place_of_a_custom_command() -> None:
    worker = over_custom(worker_command="dask worker")["worker"]["spec"]["containers"][1]
    assert "command" not in worker
    assert worker["args"][:2] == ["dask", "worker"]


def test_a_custom_spec_that_an_existing_cluster_is_not_like_is_named() -> None:
    other = {"spec": {**CUSTOM["spec"], "idleTimeout": 5}}
    assert list(differences(Keywords({}, other), {"spec": CUSTOM["spec"]})) == ["custom_cluster_spec"]


def test_a_group_is_like_its_cluster_s_workers_but_for_what_is_said_and_their_number() -> None:
    like = {"replicas": 9, "env": [{"name": "FOO", "value": "bar"}], "spec": {"nodeSelector": {"a": "b"}}}
    worker = group_manifest("c", "c-big", "ns", keywords(resources=MEMORY), like)["spec"]["worker"]
    assert worker == {"env": like["env"], "spec": like["spec"], "resources": MEMORY}


def test_a_name_may_have_the_user_and_the_environment_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "Data_Science")
    assert filled_name("{TEAM}-{user}", {"user": "ada"}) == "data-science-ada"
    with pytest.raises(ValueError, match=r"^name: .*MISSING"):
        filled_name("{MISSING}")
