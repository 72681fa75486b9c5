"""Reading Kubernetes objects: plain nested dicts, as JSON gives them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON gives it."""


def section(body: Mapping[str, Any] | None, *path: str) -> Manifest:
    """The mapping at ``path``; empty where it, or anything on the way, is missing or null."""
    found: Any = body
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def items(body: Mapping[str, Any] | None, *path: str) -> list[Manifest]:
    """The list of mappings at ``path``; empty where it is missing or null."""
    *parents, last = path
    found = section(body, *parents).get(last)
    return [dict(item) for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def without_nulls(value: Any) -> Any:
    """A deep copy of ``value`` without the keys whose value is null, which mean "not set"."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
