"""No value is dead: each one changes what is rendered."""

from typing import Any

import pytest
import yaml

from .support import (
    CHART,
    Keys,
    Renderer,
    RenderError,
    Tree,
    default_values,
    dotted,
    laid_over,
    leaves,
    nested,
    schema_nodes,
    values_schema,
)

SCHEMA = values_schema()
NODES = dict(schema_nodes(SCHEMA, SCHEMA))
PLACES = [at for at, _ in leaves(default_values())]
EVERYTHING: Tree = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text())
INSTALLS: list[Tree] = [{}, EVERYTHING, {"metrics": {"podMonitor": {"enabled": True}}}]
"""Values that matter in some installs only matter in one of these."""


def another(value: Any, node: Tree) -> Any:
    """A value that the schema takes and that is not ``value``: an example, another choice, or a neighbour."""
    choices = [*node.get("examples", []), *node.get("enum", [])]
    for choice in choices:
        if choice != value:
            return choice
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list) and value and "items" in node:
        return [another(value[0], node["items"])]
    pytest.fail("give this value `examples` in tools/values_schema/schema.yaml, so that it can be tested")


def matters(render: Renderer, install: Tree, at: Keys) -> bool:
    """Whether another value at ``at`` changes what ``install`` renders."""
    value: Any = laid_over(default_values(), install)
    for key in at:
        value = value[key]
    try:
        return render.text(laid_over(install, nested(at, another(value, NODES[at])))) != render.text(install)
    except RenderError:
        return False


@pytest.mark.parametrize("at", PLACES, ids=dotted)
def test_a_changed_value_changes_the_render(render: Renderer, at: Keys) -> None:
    assert any(matters(render, install, at) for install in INSTALLS), f"no template uses {dotted(at)}"
