"""The schemas of the four kinds, as trees: closed where they are ours, described, the same in each."""

from collections.abc import Iterator
from typing import Any

import pytest

from .support import Keys, Tree, dotted

KINDS = ("DaskAutoscaler", "DaskCluster", "DaskJob", "DaskWorkerGroup")
PRESERVE = "x-kubernetes-preserve-unknown-fields"
POD_OWNED = {
    "scheduler.spec",
    "scheduler.spec.containers[0]",
    "scheduler.service",
    "scheduler.resources",
    "scheduler.env[0].valueFrom",
    "worker.spec",
    "worker.spec.containers[0]",
    "worker.resources",
    "worker.env[0].valueFrom",
    "workerGroups[0].worker.spec",
    "workerGroups[0].worker.spec.containers[0]",
    "workerGroups[0].worker.resources",
    "workerGroups[0].worker.env[0].valueFrom",
}
"""Where Kubernetes owns the fields of a cluster's spec, and the schema takes any."""


def schema(crds: dict[str, Tree], kind: str) -> Tree:
    """The schema of a kind's only version."""
    (version,) = crds[kind]["spec"]["versions"]
    found: Tree = version["schema"]["openAPIV3Schema"]
    return found


def below(tree: Any, *keys: str) -> Any:
    """The schema of a field: ``below(schema, "spec", "worker")``."""
    for key in keys:
        tree = tree["properties"][key]
    return tree


def fields(node: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    """Every field and list item below ``node``."""
    for key, child in node.get("properties", {}).items():
        yield (*at, key), child
        yield from fields(child, (*at, key))
    if "items" in node:
        yield (*at, 0), node["items"]
        yield from fields(node["items"], (*at, 0))


def preserving(node: Tree) -> set[str]:
    """Where unknown fields are kept."""
    return {dotted(at) for at, child in fields(node) if child.get(PRESERVE)}


def test_there_are_the_four_kinds(crds: dict[str, Tree]) -> None:
    assert sorted(crds) == sorted(KINDS)


def test_a_worker_is_the_same_thing_in_every_kind(crds: dict[str, Tree]) -> None:
    of_cluster = below(schema(crds, "DaskCluster"), "spec", "worker")
    assert below(schema(crds, "DaskWorkerGroup"), "spec", "worker") == of_cluster
    assert below(schema(crds, "DaskJob"), "spec", "cluster", "spec", "worker") == of_cluster


def test_the_cluster_of_a_job_is_the_spec_of_a_cluster(crds: dict[str, Tree]) -> None:
    of_job = below(schema(crds, "DaskJob"), "spec", "cluster", "spec")
    assert of_job == below(schema(crds, "DaskCluster"), "spec")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_description(crds: dict[str, Tree], kind: str) -> None:
    tree = schema(crds, kind)
    bare = [at for at, node in fields(tree) if isinstance(at[-1], str) and "description" not in node]
    allowed = {("metadata",), ("metadata", "name")}  # Kubernetes' own, which has one already
    assert "description" in tree
    assert [dotted(at) for at in bare if at not in allowed] == []


def test_unknown_fields_are_kept_where_kubernetes_owns_them_and_nowhere_else(crds: dict[str, Tree]) -> None:
    assert preserving(below(schema(crds, "DaskCluster"), "spec")) == POD_OWNED
    assert preserving(below(schema(crds, "DaskAutoscaler"), "spec")) == set()
    assert preserving(below(schema(crds, "DaskJob"), "spec", "job")) == {"spec", "spec.containers[0]"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_keeps_what_a_newer_operator_writes(crds: dict[str, Tree], kind: str) -> None:
    status = below(schema(crds, kind), "status")
    assert status[PRESERVE] is True
    objects = {at: node for at, node in fields(status) if node["type"] == "object" and "conditions" not in at}
    assert [dotted(at) for at, node in objects.items() if not node.get(PRESERVE)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reports_conditions_in_the_same_form(crds: dict[str, Tree], kind: str) -> None:
    conditions = below(schema(crds, kind), "status", "conditions")
    assert conditions == below(schema(crds, "DaskCluster"), "status", "conditions")
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_default_is_one_the_schema_takes(crds: dict[str, Tree], kind: str) -> None:
    given = {dotted(at): node["default"] for at, node in fields(schema(crds, kind)) if "default" in node}
    by_name = {name.rsplit(".", 1)[-1]: value for name, value in given.items()}
    known = {"replicas": 1, "drainTimeoutSeconds": 600, "idleTimeout": 0, "scheduler": {}, "worker": {}}
    known |= {"interval": 5, "targetDuration": 5, "suspend": False, "dryRun": False}
    known["timeoutSeconds"] = 3600
    assert by_name.items() <= {**known, "restartPolicy": "OnFailure"}.items()
