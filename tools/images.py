"""``helm template ... | python -m tools.images``: the images of a release, those of Dask Pods too, one a line.

For air gaps: what a mirror has to have.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

DEFAULT_IMAGE = "DASK_OPERATOR_DEFAULT_IMAGE"
"""The variable of the operator that names the image of Dask Pods."""


def images(objects: Iterable[Any]) -> list[str]:
    """Every image that the objects name, in the order of the alphabet."""
    return sorted({image for item in objects if item for image in _named(item)})


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _named(item)
    elif isinstance(node, dict):
        if isinstance(node.get("image"), str):
            yield node["image"]
        if node.get("name") == DEFAULT_IMAGE:
            yield node["value"]
        for value in node.values():
            yield from _named(value)


if __name__ == "__main__":
    print("\n".join(images(yaml.safe_load_all(sys.stdin))))
