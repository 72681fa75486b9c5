"""How values.schema.json is made of its source and of Kubernetes' own types."""

from typing import Any

import pytest

from tools.images import images
from tools.values_schema import SchemaError, build, stripped

KUBERNETES = {
    "definitions": {
        "io.k8s.api.core.v1.Toleration": {
            "description": "words",
            "type": "object",
            "properties": {
                "key": {"type": "string", "description": "words", "format": "text"},
                "description": {"type": "string"},
                "inner": {"$ref": "#/definitions/io.k8s.api.core.v1.Inner"},
            },
        },
        "io.k8s.api.core.v1.Inner": {
            "type": "object",
            "properties": {"self": {"$ref": "#/definitions/io.k8s.api.core.v1.Inner"}},
        },
        "io.k8s.api.core.v1.Twice": {"type": "object"},
        "io.k8s.api.networking.v1.Twice": {"type": "object"},
    }
}


def built(stricter: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    return build({"values": {"properties": values}, "stricter": stricter or {}}, KUBERNETES)


def test_our_own_mappings_are_closed_unless_they_say_that_they_are_open() -> None:
    schema = built(
        a={"properties": {"b": {"type": "string"}}}, c={"properties": {}, "additionalProperties": True}
    )
    assert schema["additionalProperties"] is False
    assert schema["properties"]["a"]["additionalProperties"] is False
    assert schema["properties"]["c"]["additionalProperties"] is True


def test_a_type_of_kubernetes_comes_with_all_that_it_is_made_of_and_closed() -> None:
    schema = built(t={"kubernetes": "Toleration"})
    assert schema["properties"]["t"] == {"$ref": "#/definitions/Toleration"}
    assert set(schema["definitions"]) == {"Toleration", "Inner"}
    toleration = schema["definitions"]["Toleration"]
    assert toleration["additionalProperties"] is False
    assert set(toleration["properties"]) == {"key", "description", "inner"}
    assert toleration["properties"]["key"] == {"type": "string"}


def test_what_is_stricter_here_is_laid_over_kubernetes_words() -> None:
    schema = built({"Toleration": {"properties": {"key": {"enum": ["a"]}}}}, t={"kubernetes": "Toleration"})
    assert schema["definitions"]["Toleration"]["properties"]["key"] == {"type": "string", "enum": ["a"]}


@pytest.mark.parametrize("name", ["Tolerance", "Twice"])
def test_a_type_that_there_is_not_once_is_refused_by_name(name: str) -> None:
    with pytest.raises(SchemaError, match=name):
        built(t={"kubernetes": name})


def test_words_about_a_type_that_nobody_uses_are_refused() -> None:
    with pytest.raises(SchemaError, match="Toleration"):
        built({"Toleration": {}}, a={"type": "string"})


def test_a_property_may_be_called_like_a_keyword_of_no_weight() -> None:
    node = {"properties": {"x-kubernetes-field": {"type": "string", "x-kubernetes-mark": True}, "format": {}}}
    assert stripped(node) == {"properties": {"x-kubernetes-field": {"type": "string"}, "format": {}}}


def test_images_are_found_wherever_they_stand() -> None:
    default = {"name": "DASK_OPERATOR_DEFAULT_IMAGE", "value": "dask:1"}
    pod = {"spec": {"containers": [{"image": "b:1", "env": [default]}], "initContainers": [{"image": "a:1"}]}}
    assert images([pod, None, {"spec": {"template": pod}}]) == ["a:1", "b:1", "dask:1"]
