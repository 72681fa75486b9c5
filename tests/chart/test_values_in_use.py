"""No value is dead: each one changes what is rendered."""

from typing import Any

import pytest

from .support import (
    Keys,
    Renderer,
    Tree,
    default_values,
    dotted,
    leaves,
    nested,
    schema_nodes,
    values_schema,
)

SCHEMA = values_schema()
NODES = dict(schema_nodes(SCHEMA, SCHEMA))
LEAVES = list(leaves(default_values()))


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
    pytest.fail("give this value `examples` in values.schema.json, so that it can be tested")


@pytest.mark.parametrize(("at", "value"), LEAVES, ids=[dotted(at) for at, _ in LEAVES])
def test_a_changed_value_changes_the_render(render: Renderer, at: Keys, value: Any) -> None:
    changed = nested(at, another(value, NODES[at]))
    assert render.text(changed) != render.text(), f"no template uses {dotted(at)}"
