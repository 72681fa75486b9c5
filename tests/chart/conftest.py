"""Fixtures of the chart's tests."""

from pathlib import Path

import pytest

from .support import Renderer, Tree, tool


@pytest.fixture(scope="session")
def helm() -> Path:
    """The project's own helm."""
    return tool("helm")


@pytest.fixture(scope="session")
def render(helm: Path) -> Renderer:
    """Renders the chart with given values."""
    return Renderer(helm)


@pytest.fixture(scope="session")
def crds(render: Renderer) -> dict[str, Tree]:
    """The rendered CustomResourceDefinitions, by kind."""
    objects = render.objects()
    return {
        item["spec"]["names"]["kind"]: item for item in objects if item["kind"] == "CustomResourceDefinition"
    }
