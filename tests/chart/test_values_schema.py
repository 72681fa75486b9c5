"""values.schema.json is closed: what it does not know it refuses by name. All cases come from the files."""

import re
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from .support import (
    ROOT,
    Keys,
    Renderer,
    Tree,
    default_values,
    dotted,
    leaves,
    mappings,
    nested,
    overlapping,
    run,
    schema_nodes,
    values_schema,
)

SCHEMA = values_schema()
NODES = dict(schema_nodes(SCHEMA, SCHEMA))
OBJECTS = {at: node for at, node in NODES.items() if node.get("type") == "object"}
CLOSED = {at: node for at, node in OBJECTS.items() if node.get("additionalProperties") is False}
TOP = sorted({str(at[0]) for at in CLOSED if at})
FREE_BY_NATURE = {
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "annotations",
    "labels",
    "matchLabels",
    "userAnnotations",
}
"""Mappings whose keys are the admin's: labels and annotations."""
RESOURCE_NAMES = {"limits", "requests"}
UNKNOWN_TO_KUBERNETES = {"options", "volumeAttributes", "fieldsV1"}
"""Mappings whose keys are those of a driver of volumes, or of whoever has written an object."""
JSON_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", dict: "object", list: "array"}
SAMPLES: list[Any] = ["text", True, 7, {"key": "value"}, ["item"]]


def misspelt(node: Tree) -> list[str]:
    """The keys of ``node`` with their last letters missing, or with one more, as far as these are no keys."""
    typos = {key[:-1] if len(key) > 3 else f"{key}x" for key in node["properties"]}
    return sorted(typos - set(node["properties"]))


def pointer(at: Keys) -> str:
    """``at`` as helm writes it."""
    return f"at '/{'/'.join(map(str, at))}'" if at else "at ''"


def complaints(answer: str) -> dict[str, str]:
    """What helm says, by the place it says it of."""
    found: dict[str, str] = {}
    for line in answer.splitlines():
        if match := re.search(r"at '[^']*'", line):
            found[match[0]] = found.get(match[0], "") + line
    return found


def is_refused_for(render: Renderer, typos: dict[Keys, list[str]]) -> list[str]:
    """Those of ``typos`` that helm does not name, all being in the values at once."""
    trees = (nested(at, dict.fromkeys(keys, 1)) for at, keys in typos.items())
    said = complaints(render.refusal(overlapping(trees)))
    return [
        dotted((*at, key))
        for at, keys in typos.items()
        for key in keys
        if f"'{key}'" not in said.get(pointer(at), "")
    ]


def below(top: str, nodes: Iterable[Keys]) -> list[Keys]:
    """The places in ``top``."""
    return [at for at in nodes if at and at[0] == top]


def test_every_misspelt_key_at_the_top_is_refused_by_name(render: Renderer) -> None:
    assert is_refused_for(render, {(): misspelt(SCHEMA)}) == []


@pytest.mark.parametrize("top", TOP)
def test_every_misspelt_key_is_refused_by_name(render: Renderer, top: str) -> None:
    assert is_refused_for(render, {at: misspelt(NODES[at]) for at in below(top, CLOSED)}) == []


def test_only_what_is_free_by_nature_is_open() -> None:
    open_ones = {at for at in OBJECTS if at not in CLOSED}
    named = FREE_BY_NATURE | RESOURCE_NAMES | UNKNOWN_TO_KUBERNETES
    assert {dotted(at) for at in open_ones if at[-1] not in named} == {"global"}


def test_every_place_has_a_type() -> None:
    assert [dotted(at) for at, node in NODES.items() if "type" not in node] == []


def test_every_mapping_of_the_values_is_an_object_of_the_schema() -> None:
    assert [dotted(at) for at, _ in mappings(default_values()) if at not in OBJECTS] == []


def test_the_values_have_every_key_of_our_own() -> None:
    optional = {"initialDelaySeconds", "terminationGracePeriodSeconds", "rollingUpdate", "global"}
    for at, mapping in mappings(default_values()):
        if mapping and "odSecurityContext" not in dotted(at) and "securityContext" not in dotted(at):
            assert set(NODES[at]["properties"]) - set(mapping) <= optional, dotted(at)


def wrong_for(sample: Any, node: Tree) -> bool:
    """Whether ``node`` does not take values of the type of ``sample``."""
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return JSON_TYPES[type(sample)] not in {*types, *(["integer"] if "number" in types else [])}


def is_end(at: Keys) -> bool:
    """Whether nothing stands below ``at``, or it is a value of values.yaml."""
    return at in ENDS or ("properties" not in NODES[at] and "items" not in NODES[at])


ENDS = {at for at, _ in leaves(default_values())}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: JSON_TYPES[type(sample)])
@pytest.mark.parametrize("depth", ["values", "kubernetes"])
def test_every_wrong_type_is_refused_by_name(render: Renderer, sample: Any, depth: str) -> None:
    ends = (
        ENDS
        if depth == "values"
        else {at for at in NODES if is_end(at) and at not in ENDS and at[0] != "global"}
    )
    wrong = [at for at in ends if wrong_for(sample, NODES[at])]
    said = complaints(render.refusal(overlapping(nested(at, sample) for at in wrong)))
    assert [dotted(at) for at in wrong if pointer(at) not in said] == []


def test_the_schema_is_what_the_program_makes_of_its_source() -> None:
    done = run(sys.executable, "-m", "tools.values_schema", "--check")
    assert done.returncode == 0, done.stderr
    assert (ROOT / "tools" / "values_schema" / "schema.yaml").exists()
