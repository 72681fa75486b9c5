"""Schemas of what a release of Kubernetes, or the Prometheus operator, takes: for kubeconform, from API documents."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.values_schema import closed, stripped

from .support import ROOT, Tree

DOCUMENTS = ROOT / "build" / "openapi"
ANY_OF_SEVERAL: dict[str, Tree] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}
LOCATION = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"
"""How kubeconform is to find the schema of a kind."""


def document(name: str) -> Path:
    """A folder of API documents; without it the test fails with the remedy."""
    folder = DOCUMENTS / name
    if not folder.exists():
        pytest.fail(f"{folder} is missing: run `make tools`")
    return folder


def write_kubernetes(release: str, target: Path) -> None:
    """Schemas of all kinds of a Kubernetes release, like ``1.36``."""
    described = json.loads((document(f"kubernetes-{release}") / "swagger.json").read_text())["definitions"]
    plain = {name: closed(stripped(schema)) for name, schema in described.items()}
    plain |= {name: schema for name, schema in ANY_OF_SEVERAL.items() if name in plain}
    for name, schema in described.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            needed = {part: plain[part] for part in _parts(name, plain)}
            _write(target, kind, {"$ref": f"#/definitions/{name}", "definitions": needed})


def write_prometheus(target: Path) -> None:
    """Schemas of the Prometheus operator's monitors."""
    for file in document("prometheus-operator").glob("*.yaml"):
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            schema = closed(stripped(version["schema"]["openAPIV3Schema"]))
            schema["properties"]["metadata"] = {"type": "object"}
            kind = {"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"]}
            _write(target, kind, schema)


def _write(target: Path, kind: Tree, schema: Tree) -> None:
    group = kind["group"] or kind["version"]  # kubeconform's name for the group that has none
    name = f"{group}_{kind['version']}_{kind['kind'].lower()}.json"
    (target / name).write_text(json.dumps(schema))


def _parts(name: str, definitions: dict[str, Tree]) -> set[str]:
    """All that a definition is made of, itself too."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        part = waiting.pop()
        if part not in found:
            found.add(part)
            waiting += _references(definitions[part])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix("#/definitions/")
        for value in node.values():
            yield from _references(value)
