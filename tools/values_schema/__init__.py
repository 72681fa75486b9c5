"""Writes values.schema.json from schema.yaml and Kubernetes' own OpenAPI document. Pure, but for ``__main__``."""

import copy
from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]

GROUPS = ("core", "networking", "rbac", "apimachinery")
"""Which part of a long name tells where a type of Kubernetes is at home: these are the ones used here."""
REFERENCE = "#/definitions/"


class SchemaError(Exception):
    """schema.yaml says something that cannot be made into a schema."""


def build(source: Tree, kubernetes: Tree) -> Tree:
    """values.schema.json.

    Args:
        source: schema.yaml.
        kubernetes: the OpenAPI document (v2) of a Kubernetes release.

    Raises:
        SchemaError: a type that Kubernetes does not have, or more said about one that is not used.
    """
    types = Types(kubernetes["definitions"], source["stricter"])
    values = closed(_filled(source["values"], types))
    definitions = types.used()
    unused = sorted(set(source["stricter"]) - set(definitions))
    if unused:
        raise SchemaError(f"stricter: {', '.join(unused)}: no value has such a part; leave it out")
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the dask-operator chart",
    }
    return {**head, **values, "definitions": definitions}


class Types:
    """Types of Kubernetes' API, by their short names; remembers which ones were asked for."""

    def __init__(self, definitions: Mapping[str, Tree], stricter: Mapping[str, Tree]) -> None:
        self._definitions = definitions
        self._stricter = stricter
        self._used: dict[str, Tree] = {}

    def reference(self, name: str) -> str:
        """What refers to the type ``name``, like ``Toleration``.

        Raises:
            SchemaError: there is none of that name, or there are several.
        """
        if name not in self._used:
            self._used[name] = {}  # a type may have parts of its own kind
            definition = stripped(self._definitions[self._long(name)])
            self._used[name] = closed(_laid_over(self._resolved(definition), self._stricter.get(name, {})))
        return REFERENCE + name

    def used(self) -> dict[str, Tree]:
        """What was asked for, and all that it is made of, by name."""
        return dict(sorted(self._used.items()))

    def _long(self, name: str) -> str:
        found = [key for key in self._definitions if key.endswith(f".{name}")]
        stable = [key for key in found if ".v1." in key or ".pkg." in key]
        stable = [key for key in stable if any(f".{group}." in key for group in GROUPS)]
        if len(stable) != 1:
            raise SchemaError(
                f"kubernetes: {name}: {stable or found or 'no such type'}; name one that there is once"
            )
        return stable[0]

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return {"$ref": self.reference(node["$ref"].rsplit(".", 1)[-1])}
        return {key: self._resolved(value) for key, value in node.items()}


def stripped(node: Any, names: bool = False) -> Any:
    """Without what is for readers, and without what is for Kubernetes only.

    Args:
        node: part of a schema.
        names: whether its keys are names of properties, which stay.
    """
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or not _is_prose(key, value)}
    return {key: stripped(value, not names and key == "properties") for key, value in kept.items()}


def _is_prose(key: str, value: Any) -> bool:
    """Whether it is a keyword of no weight."""
    return key.startswith("x-kubernetes-") or (
        key in ("description", "format", "default") and isinstance(value, str | int | bool)
    )


def _laid_over(below: Tree, above: Mapping[str, Any]) -> Tree:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else copy.deepcopy(value)
    return merged


def _filled(node: Any, types: Types) -> Any:
    """With references in the place of ``kubernetes: <Type>``."""
    if isinstance(node, list):
        return [_filled(item, types) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _filled(value, types) for key, value in node.items() if key != "kubernetes"}
    if isinstance(node.get("kubernetes"), str):
        return {"$ref": types.reference(node["kubernetes"]), **plain}
    return plain


def closed(node: Any) -> Any:
    """With every mapping of properties closed, unless it says whether it is."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inside = {key: value if key == "examples" else closed(value) for key, value in node.items()}
    if isinstance(inside.get("properties"), dict) and inside.get("type") in (None, "object"):
        return {"type": "object", "additionalProperties": False, **inside}
    return inside
