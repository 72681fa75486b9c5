"""The page about migrating knows every keyword and every method."""

import inspect
from pathlib import Path

import pytest
from dask_operator_client import KubeCluster

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "migrating.md").read_text()
KEYWORDS = [name for name in inspect.signature(KubeCluster).parameters if name != "unknown"]
METHODS = ["from_name", "scale", "adapt", "add_worker_group", "delete_worker_group", "get_logs", "close"]


@pytest.mark.parametrize("name", [*KEYWORDS, *METHODS])
def test_it_is_told_what_becomes_of(name: str) -> None:
    assert f"`{name}" in PAGE
