"""values.schema.json is closed: what it does not know it refuses by name. All cases come from the files."""

from typing import Any

import pytest

from .support import (
    Keys,
    Renderer,
    Tree,
    default_values,
    dotted,
    leaves,
    mappings,
    nested,
    schema_nodes,
    values_schema,
)

SCHEMA = values_schema()
NODES = dict(schema_nodes(SCHEMA, SCHEMA))
OBJECTS = [(at, node) for at, node in NODES.items() if node.get("type") == "object"]
CLOSED = [(at, node) for at, node in OBJECTS if node.get("additionalProperties") is False]
FREE_BY_NATURE = {"nodeSelector", "podAnnotations", "podLabels", "annotations", "matchLabels"}
"""Mappings whose keys are the admin's: labels and annotations."""
JSON_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", dict: "object", list: "array"}


def misspelt(key: str) -> str:
    """``key`` with its last letter missing, or something else that is no key."""
    return key[:-1] if len(key) > 3 else f"{key}x"


def wrong_values(node: Tree) -> list[Any]:
    """Values of the types that ``node`` does not take."""
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    taken = {*types, *(["integer"] if "number" in types else [])}
    samples: list[Any] = ["text", True, 7, {"key": "value"}, ["item"]]
    return [sample for sample in samples if JSON_TYPES[type(sample)] not in taken]


@pytest.mark.parametrize(("at", "node"), CLOSED, ids=[dotted(at) for at, _ in CLOSED])
def test_every_misspelt_key_is_refused_by_name(render: Renderer, at: Keys, node: Tree) -> None:
    typos = {misspelt(key) for key in node["properties"]} - set(node["properties"])
    answer = render.refusal(nested(at, dict.fromkeys(typos, 1)))
    assert [typo for typo in typos if f"'{typo}'" not in answer] == []


def test_only_labels_annotations_resource_names_and_global_are_open() -> None:
    open_ones = {at for at, node in OBJECTS if node.get("additionalProperties") is not False}
    by_nature = {at for at in open_ones if at[-1] in FREE_BY_NATURE}
    assert {dotted(at) for at in open_ones - by_nature} == {
        "global",
        "autoscaler.resources.limits",
        "autoscaler.resources.requests",
        "operator.resources.limits",
        "operator.resources.requests",
    }


def test_every_mapping_of_the_values_is_an_object_of_the_schema() -> None:
    known = {at for at, _ in OBJECTS}
    assert [dotted(at) for at, _ in mappings(default_values()) if at not in known] == []


def test_the_schema_and_the_values_have_the_same_keys() -> None:
    for at, mapping in mappings(default_values()):
        if mapping:
            assert set(mapping) == set(NODES[at]["properties"]) - {"global"}, dotted(at)


@pytest.mark.parametrize("at", [at for at, _ in leaves(default_values())], ids=dotted)
def test_every_wrong_type_is_refused_by_name(render: Renderer, at: Keys) -> None:
    for wrong in wrong_values(NODES[at]):
        answer = render.refusal(nested(at, wrong))
        assert f"'/{'/'.join(map(str, at))}'" in answer, answer
