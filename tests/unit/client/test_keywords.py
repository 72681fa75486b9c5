"""Keywords come from the call or from Dask's configuration, and every refusal names its keyword."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import pytest
import yaml
from dask_operator_client import config
from dask_operator_client.keywords import OPTION_CHECKS, SPEC_CHECKS, Keywords, Options, judged
from dask_operator_client.modes import CreateMode

PACKAGE = Path(config.__file__).parent
ALL = ["custom_cluster_spec", *SPEC_CHECKS, *OPTION_CHECKS]


@pytest.mark.parametrize("keyword", ALL)
def test_a_value_of_the_wrong_type_is_refused_by_the_keyword_s_name(keyword: str) -> None:
    with pytest.raises((TypeError, ValueError), match=keyword):
        judged({keyword: object()})


@pytest.mark.parametrize("keyword", ALL)
def test_a_wrong_value_in_the_configuration_is_refused_by_the_keyword_and_the_key(keyword: str) -> None:
    key = config.key_of(keyword)
    with dask.config.set({key: object()}), pytest.raises((TypeError, ValueError), match=f"{keyword}.*{key}"):
        judged({})


def test_the_configuration_is_used_where_a_keyword_is_not_given() -> None:
    with dask.config.set(
        {"kubernetes.count.start": 5, "kubernetes.image": "a", "kubernetes.name": "x-{uuid}"}
    ):
        keywords, options = judged({"image": "b"})
    assert keywords == Keywords({"n_workers": 5, "image": "b"})
    assert (options.name or "").startswith("x-")


@pytest.fixture
def another_package_s_defaults() -> Iterator[None]:
    defaults = {"kubernetes": {"image": "theirs", "shutdown-on-close": True, "count": {"start": 0}}}
    before, held = list(dask.config.defaults), dask.config.config.copy()
    dask.config.update_defaults(defaults)
    yield
    dask.config.defaults[:] = before
    dask.config.config.clear()
    dask.config.config.update(held)


@pytest.mark.usefixtures("another_package_s_defaults")
def test_defaults_of_another_package_are_not_what_the_user_said() -> None:
    assert judged({}) == (Keywords(), Options())


def test_every_keyword_has_its_key_and_every_key_its_schema() -> None:
    keys = yaml.safe_load((PACKAGE / "kubernetes.yaml").read_text())
    schema = yaml.safe_load((PACKAGE / "kubernetes-schema.yaml").read_text())
    assert flat(keys) == {config.key_of(keyword) for keyword in ALL} == described(schema)
    assert all(value is None for value in leaves(keys))


def flat(tree: Any, path: str = "") -> set[str]:
    if not isinstance(tree, dict):
        return {path}
    return {key for name, inner in tree.items() for key in flat(inner, f"{path}.{name}".lstrip("."))}


def leaves(tree: Any) -> list[Any]:
    return [leaf for inner in tree.values() for leaf in leaves(inner)] if isinstance(tree, dict) else [tree]


def described(schema: Any, path: str = "") -> set[str]:
    inner = schema.get("properties")
    if inner is None:
        assert schema["description"]
        return {path}
    return {key for name, part in inner.items() for key in described(part, f"{path}.{name}".lstrip("."))}


def test_an_unknown_keyword_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(TypeError, match="no keyword 'n_worker': did you mean n_workers"):
        judged({}, ["n_worker"])
    with pytest.raises(TypeError, match="'pod_template': use worker_pod"):
        judged({}, ["pod_template"])


def test_names_of_modes_are_taken_as_configurations_have_them() -> None:
    _, options = judged({"create_mode": "CREATE_ONLY"})
    assert options.create_mode is CreateMode.CREATE_ONLY


CUSTOM = {"metadata": {"name": "own", "namespace": "theirs"}, "spec": {}}


def test_a_custom_spec_names_its_cluster() -> None:
    _, options = judged({"custom_cluster_spec": CUSTOM})
    assert (options.name, options.namespace) == ("own", "theirs")


@pytest.mark.parametrize("keyword", ["name", "namespace"])
def test_what_contradicts_a_custom_spec_is_refused_by_name(keyword: str) -> None:
    with pytest.raises(ValueError, match=f"^{keyword}: 'other' was given, and custom_cluster_spec has"):
        judged({"custom_cluster_spec": CUSTOM, keyword: "other"})


def test_a_custom_spec_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CUSTOM))
    assert judged({"custom_cluster_spec": tmp_path / "c.yaml"})[0].custom == CUSTOM


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is no YAML"),
        ("---\nspec: {}\n---\nspec: {}\n", "one DaskCluster in it, not 2"),
        ("kind: DaskJob", "must be a DaskCluster"),
        ("metadata: {}", "has no 'spec'"),
        ("metadata: {name: A}\nspec: {}", "must start with a letter"),
    ],
)
def test_a_file_with_something_else_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises((TypeError, ValueError), match=f"(?s)custom_cluster_spec.*{words}"):
        judged({"custom_cluster_spec": str(tmp_path / "c.yaml")})


def test_a_file_that_is_not_there_is_told_with_its_path() -> None:
    with pytest.raises(ValueError, match=r"custom_cluster_spec: cannot read /no/where\.yaml"):
        judged({"custom_cluster_spec": "/no/where.yaml"})
