"""The chart grants what the operator says it needs: neither knows of the other, so they are compared here."""

import pytest
from dask_operator import __version__
from dask_operator.scope.claims import MARKER_RESOURCE, MARKER_VERB, announced
from dask_operator.scope.definitions import too_old
from dask_operator.scope.rights import EVERYWHERE, NEEDED, Right, for_claims, for_leading, needed

from .support import Renderer, Tree

RELEASE = "release-dask-operator"


def granted(objects: list[Tree], kind: str, namespace: str | None) -> set[Right]:
    """What roles of ``kind`` in ``namespace`` allow, one verb on one resource each, but for the marker."""
    return {
        Right(group, resource, verb, name)
        for item in objects
        if item["kind"] == kind and item["metadata"].get("namespace") == namespace
        if item["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
        if resource != MARKER_RESOURCE
    }


def test_an_operator_for_all_namespaces_is_granted_what_it_needs_and_nothing_else(render: Renderer) -> None:
    objects = render.objects()
    assert granted(objects, "ClusterRole", None) == {*NEEDED, *EVERYWHERE}
    assert granted(objects, "Role", "its-namespace") == {*for_leading(RELEASE), *for_claims()}


def test_an_operator_for_some_namespaces_is_granted_what_it_needs_and_nothing_else(render: Renderer) -> None:
    objects = render.objects({"watchNamespaces": ["team-a", "team-b"]})
    assert granted(objects, "ClusterRole", None) == set()
    assert granted(objects, "Role", "its-namespace") == set(for_leading(RELEASE))
    for namespace in ("team-a", "team-b"):
        assert granted(objects, "Role", namespace) == {*NEEDED, *for_claims()}


@pytest.mark.parametrize("namespaces", [[], ["team-a"]])
def test_an_operator_without_an_autoscaler_may_say_so(render: Renderer, namespaces: list[str]) -> None:
    values = {"autoscaler": {"enabled": False}, "watchNamespaces": namespaces}
    objects = render.objects(values)
    if namespaces:
        assert granted(objects, "Role", "team-a") == {*needed(autoscaling=False), *for_claims()}
    else:
        assert granted(objects, "ClusterRole", None) == {*needed(autoscaling=False), *EVERYWHERE}


def test_a_release_for_all_namespaces_is_announced_by_its_name(render: Renderer) -> None:
    rules = [rule for item in render.objects() if item["kind"] == "ClusterRole" for rule in item["rules"]]
    assert announced(rules) == {f"its-namespace/{RELEASE}"}
    verbs = [rule["verbs"] for rule in rules if MARKER_RESOURCE in rule["resources"]]
    assert verbs == [[MARKER_VERB]]


@pytest.mark.parametrize("newer", [False, True])
def test_the_operator_finds_the_version_of_the_definitions_of_its_own_chart(
    crds: dict[str, Tree], newer: bool
) -> None:
    schemas = {
        kind: {
            **crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
            "x-kubernetes-group-version-kind": [
                {"group": "kubernetes.dask.org", "version": "v1", "kind": kind}
            ],
        }
        for kind, crd in crds.items()
    }
    version = "99.0.0" if newer else __version__
    assert bool(too_old({"components": {"schemas": schemas}}, version)) == newer
