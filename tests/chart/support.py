"""How the chart's tests see the chart: its files, its render, its values.schema.json as a tree."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "dask-operator"

Tree = dict[str, Any]
"""A mapping out of a YAML or JSON file."""
Keys = tuple[str | int, ...]
"""Where something stands in a tree: keys of mappings, positions in lists."""


class RenderError(Exception):
    """Helm refused the values, or a template did. The text is helm's own."""


def tool(name: str) -> Path:
    """The program ``name`` of the project's tool chain; without it the test fails with the remedy."""
    path = ROOT / "build" / "bin" / name
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make tools`")
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program in the project's folder for at most two minutes, and give what came of it."""
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@dataclass(frozen=True)
class Renderer:
    """``helm template``, offline."""

    helm: Path
    namespace: str = "its-namespace"
    release: str = "release"
    known: dict[str, str] = field(default_factory=dict)
    """What was rendered before, by its values."""

    def text(self, values: Mapping[str, Any] | None = None) -> str:
        """The render as text.

        Raises:
            RenderError: helm refused.
        """
        wanted = json.dumps(dict(values or {}), sort_keys=True)
        if wanted not in self.known:
            self.known[wanted] = self._rendered(wanted)
        return self.known[wanted]

    def _rendered(self, values: str) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(values)
            file.flush()
            place = ("--namespace", self.namespace, "--values", file.name)
            done = run(self.helm, "template", self.release, CHART, *place)
        if done.returncode:
            raise RenderError(done.stderr)
        return done.stdout

    def objects(self, values: Mapping[str, Any] | None = None) -> list[Tree]:
        """The rendered objects."""
        return [document for document in yaml.safe_load_all(self.text(values)) if document]

    def refusal(self, values: Mapping[str, Any]) -> str:
        """What helm says of values it must refuse; the test fails if it takes them."""
        try:
            self.text(values)
        except RenderError as error:
            return str(error)
        pytest.fail(f"helm accepted {json.dumps(dict(values))}")


def default_values() -> Tree:
    """values.yaml."""
    values: Tree = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def values_schema() -> Tree:
    """values.schema.json."""
    schema: Tree = json.loads((CHART / "values.schema.json").read_text())
    return schema


def resolved(node: Tree, schema: Tree) -> Tree:
    """``node``, with a reference to a definition replaced by that definition."""
    reference = node.get("$ref")
    if reference is None:
        return node
    definition: Tree = schema["definitions"][reference.removeprefix("#/definitions/")]
    return resolved({**definition, **{key: value for key, value in node.items() if key != "$ref"}}, schema)


def schema_nodes(node: Tree, schema: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    """Every place a value can stand in, with the schema of that value. Lists are entered at position 0."""
    node = resolved(node, schema)
    yield at, node
    for key, child in node.get("properties", {}).items():
        yield from schema_nodes(child, schema, (*at, key))
    if "items" in node:
        yield from schema_nodes(node["items"], schema, (*at, 0))


def nested(at: Keys, value: Any) -> Any:
    """The tree that has nothing but ``value``, at ``at``: ``nested(("a", 0), 1)`` is ``{"a": [1]}``."""
    for key in reversed(at):
        value = [value] if isinstance(key, int) else {key: value}
    return value


def overlapping(trees: Iterable[Any]) -> Any:
    """One tree with all that these have; what one has in a list goes into the first item."""
    merged: Any = None
    for tree in trees:
        merged = _overlapped(merged, tree)
    return merged


def _overlapped(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _overlapped(one.get(key), other.get(key)) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list) and one and other:
        return [_overlapped(one[0], other[0])]
    return one if other is None else other


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """``below`` with what ``above`` has in its place, as Helm lays values over each other."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def leaves(tree: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every value of a tree that is no mapping with something in it."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*at, key))
        else:
            yield (*at, key), value


def mappings(tree: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    """Every mapping of a tree, itself first."""
    yield at, tree
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from mappings(value, (*at, key))


def dotted(at: Keys) -> str:
    """``at`` as people write it: ``a.b[0]``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at).lstrip(".") or "(top)"
