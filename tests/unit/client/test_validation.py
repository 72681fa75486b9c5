"""Keywords are judged before anything is sent, and each refusal names the keyword and the remedy."""

from typing import Any

import pytest
from dask_operator_api import names
from dask_operator_client import validation as v
from hypothesis import given
from hypothesis import strategies as st

ENV_NAMES = st.text(st.characters(codec="ascii", categories=["Lu", "Ll"]), min_size=1)


@pytest.mark.parametrize("name", ["UPPER", "has.dot", "1st", "under_score", "", "a" * 54, "ends-"])
def test_a_name_that_kubernetes_would_refuse_is_refused_with_the_keyword(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: "):
        v.checked_name("name", name)


def test_a_name_that_is_no_string_is_refused_with_the_keyword() -> None:
    with pytest.raises(TypeError, match=r"^name must be a string"):
        v.checked_name("name", 5)


def test_a_group_s_full_name_must_fit_into_a_label() -> None:
    with pytest.raises(ValueError, match=f"at most {names.WORKER_GROUP_NAME_MAX}"):
        v.checked_group_name("worker_group", "c" * 53, "g" * 20)


def test_a_group_is_called_after_its_cluster() -> None:
    assert v.checked_group_name("worker_group", "foo", "highmem") == "foo-highmem"


@pytest.mark.parametrize("count", ["10", 2.0, True, None, [3]])
def test_a_number_of_workers_that_is_no_integer_is_refused(count: Any) -> None:
    with pytest.raises(TypeError, match="n_workers must be an integer such as 3"):
        v.checked_count("n_workers", count)


def test_a_negative_number_of_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="n_workers must be 0 or more, not -1"):
        v.checked_count("n_workers", -1)


@given(st.integers(min_value=0))
def test_every_number_from_zero_up_is_taken_as_it_is(count: int) -> None:
    assert v.checked_count("n_workers", count) == count


@pytest.mark.parametrize("image", ["", "two words", " padded", "line\n"])
def test_an_image_with_spaces_or_none_at_all_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="image must be a string without spaces"):
        v.checked_text("image", image)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_is_not_positive_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="resource_timeout must be more than 0"):
        v.checked_seconds("resource_timeout", seconds)


@given(st.dictionaries(ENV_NAMES, st.text() | st.integers() | st.floats()))
def test_an_env_dict_becomes_one_variable_per_key_with_a_string_value(env: dict[str, Any]) -> None:
    variables = v.checked_env(env)
    assert {variable["name"]: variable["value"] for variable in variables} == {
        key: str(value) for key, value in env.items()
    }


@given(st.dictionaries(ENV_NAMES, st.text()))
def test_an_env_that_was_checked_is_accepted_as_a_list_and_stays_as_it_is(env: dict[str, str]) -> None:
    variables = v.checked_env(env)
    assert v.checked_env(variables) == variables


def test_an_env_list_may_refer_to_secrets() -> None:
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert v.checked_env([variable]) == [variable]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("FOO=bar", "env must be a dict like"),
        (7, "env must be a dict like"),
        (["FOO=bar"], "env must have dicts like"),
        ([{"value": "bar"}], "env must have dicts like"),
        ({"FOO": None}, "must be a string, not None"),
        ({"FOO": True}, "must be a string, not True"),
        ({1: "bar"}, "env must have strings as names"),
        ([{"name": "FOO", "value": 1}], "must have a string as 'value'"),
        ([{"name": "FOO", "valueFrom": "secret"}], "must have a dict as 'valueFrom'"),
    ],
)
def test_an_env_of_the_wrong_shape_is_refused_with_an_example(env: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        v.checked_env(env)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"A=B": "c"}, "without '='"),
        ({"": "c"}, "not an empty one"),
        ([{"name": "FOO", "valeu": "bar"}], "has no 'valeu'"),
        ([{"name": "FOO", "value": "a", "valueFrom": {}}], "both 'value' and 'valueFrom'"),
        ([{"name": "FOO"}, {"name": "FOO"}], "more than once"),
    ],
)
def test_an_env_with_wrong_words_is_refused_with_the_remedy(env: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        v.checked_env(env)


def test_quantities_may_be_numbers_and_become_strings() -> None:
    assert v.checked_resources(
        "resources", {"requests": {"cpu": 0.5, "memory": "16Gi"}, "limits": {"cpu": 2}}
    ) == {
        "requests": {"cpu": "0.5", "memory": "16Gi"},
        "limits": {"cpu": "2"},
    }


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"limit": {"cpu": 1}}, "did you mean 'limits'"),
        ({"request": {"cpu": 1}}, "did you mean 'requests'"),
        ({"memory": "16Gi"}, "put it into 'requests' or 'limits'"),
        ({"gpus": 1}, "use 'requests' and 'limits'"),
        ({"limits": {"memory": "16GB"}}, "must be a quantity such as '16Gi'"),
        ({"limits": {"memory": "16 Gi"}}, "must be a quantity"),
        ({"limits": {"cpu": float("inf")}}, "must be a quantity"),
    ],
)
def test_resources_with_wrong_words_are_refused_with_the_remedy(resources: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        v.checked_resources("resources", resources)


@pytest.mark.parametrize(
    "resources", ["16Gi", [("limits", {})], {"limits": "16Gi"}, {"limits": {"memory": None}}]
)
def test_resources_of_the_wrong_shape_are_refused_with_an_example(resources: Any) -> None:
    with pytest.raises(TypeError, match=r"^resources"):
        v.checked_resources("resources", resources)


def test_a_command_gets_the_worker_s_name() -> None:
    assert v.checked_command("dask cuda worker") == [
        "dask",
        "cuda",
        "worker",
        "--name",
        "$(DASK_WORKER_NAME)",
    ]


@pytest.mark.parametrize("command", [["dask", "worker", "--name", "x"], ["dask", "worker", "--name=x"]])
def test_a_command_that_names_its_worker_stays_as_it_is(command: list[str]) -> None:
    assert v.checked_command(command) == command


@pytest.mark.parametrize("command", [5, ["dask", 1], {"dask": "worker"}])
def test_a_command_of_the_wrong_shape_is_refused(command: Any) -> None:
    with pytest.raises(TypeError, match="worker_command must be a string or a list of strings"):
        v.checked_command(command)


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(ValueError, match="worker_command is empty"):
        v.checked_command("  ")


def test_a_part_of_a_pod_spec_and_a_part_of_a_pod_are_both_taken() -> None:
    spec = {"nodeSelector": {"my_label": "x"}}
    assert v.checked_pod("worker_pod", spec) == {"spec": spec}
    assert v.checked_pod("worker_pod", {"kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": spec}) == {
        "metadata": {"labels": {"a": "b"}},
        "spec": spec,
    }


def test_the_field_names_of_python_classes_are_refused_with_those_of_kubernetes() -> None:
    with pytest.raises(
        ValueError, match="worker_pod has 'node_selector': Kubernetes calls it 'nodeSelector'"
    ):
        v.checked_pod("worker_pod", {"node_selector": {}})
    with pytest.raises(ValueError, match="'volumeMounts'"):
        v.checked_pod("worker_pod", {"containers": [{"volume_mounts": []}]})


@pytest.mark.parametrize("pod", ["gpu", ["a"], {"spec": "x"}, {"metadata": [1]}, {1: 2}])
def test_a_pod_of_the_wrong_shape_is_refused_by_the_keyword(pod: Any) -> None:
    with pytest.raises(TypeError, match="worker_pod"):
        v.checked_pod("worker_pod", pod)


@pytest.mark.parametrize("kind", ["clusterip", "ExternalName", 5])
def test_an_unknown_type_of_service_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="scheduler_service_type must be one of ClusterIP"):
        v.checked_service_type("scheduler_service_type", kind)


@pytest.mark.parametrize("flag", [1, 0, "yes", None])
def test_what_merely_counts_as_true_is_no_flag(flag: Any) -> None:
    with pytest.raises(TypeError, match="jupyter must be True or False"):
        v.checked_flag("jupyter", flag)
