"""Patches merge as kubectl's do, and laying one twice is laying it once."""

from typing import Any

import pytest
from dask_operator_client.podpatch import laid_over

BASE: dict[str, Any] = {
    "nodeSelector": {"a": "1"},
    "tolerations": [{"key": "a"}],
    "containers": [{"name": "worker", "args": ["x", "y"], "env": [{"name": "A", "value": "1"}]}],
}


@pytest.mark.parametrize(
    ("patch", "where", "result"),
    [
        ({"nodeSelector": {"b": "2"}}, "nodeSelector", {"a": "1", "b": "2"}),
        ({"nodeSelector": {"a": None}}, "nodeSelector", {}),
        ({"tolerations": [{"key": "b"}]}, "tolerations", [{"key": "a"}, {"key": "b"}]),
        ({"containers": [{"name": "log"}]}, "containers", [*BASE["containers"], {"name": "log"}]),
        (
            {"containers": [{"name": "worker", "args": ["z"], "env": [{"name": "B"}]}]},
            "containers",
            [{"name": "worker", "args": ["z"], "env": [{"name": "A", "value": "1"}, {"name": "B"}]}],
        ),
    ],
)
def test_a_patch_adds_replaces_and_takes_away(patch: Any, where: str, result: Any) -> None:
    once = laid_over(BASE, patch)
    assert once[where] == result
    assert laid_over(once, patch) == once


def test_neither_the_object_nor_the_patch_is_changed_or_shared() -> None:
    patch = {"containers": [{"name": "new", "env": [{"name": "C"}]}]}
    merged = laid_over(BASE, patch)
    merged["containers"][0]["args"].append("changed")
    merged["containers"][1]["env"].append("changed")
    assert BASE["containers"][0]["args"] == ["x", "y"]
    assert patch == {"containers": [{"name": "new", "env": [{"name": "C"}]}]}
