"""What holds for every object of the chart, those to come too."""

import re

import pytest

from .support import CHART, Renderer, Tree

CLUSTER_SCOPED = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
STANDARD_LABELS = {
    "helm.sh/chart",
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
}


WATCHED = ["team-a", "team-b"]


@pytest.fixture(scope="module", params=[[], WATCHED], ids=["all-namespaces", "some-namespaces"])
def objects(render: Renderer, request: pytest.FixtureRequest) -> list[Tree]:
    return render.objects({"watchNamespaces": request.param, "operator": {"replicas": 2}})


def test_every_namespaced_object_says_its_namespace(objects: list[Tree]) -> None:
    found = {
        (item["kind"], item["metadata"]["name"]): item["metadata"].get("namespace")
        for item in objects
        if item["kind"] not in CLUSTER_SCOPED
    }
    assert found
    elsewhere = {identity: space for identity, space in found.items() if space != "its-namespace"}
    assert {kind for kind, _ in elsewhere} <= {"Role", "RoleBinding", "Lease"}, elsewhere
    assert set(elsewhere.values()) <= set(WATCHED), elsewhere


def test_an_operator_for_some_namespaces_has_nothing_cluster_scoped_but_definitions(render: Renderer) -> None:
    kinds = {item["kind"] for item in render.objects({"watchNamespaces": WATCHED})}
    assert kinds & CLUSTER_SCOPED == {"CustomResourceDefinition"}


def test_no_cluster_scoped_object_says_a_namespace(objects: list[Tree]) -> None:
    named = [item["metadata"] for item in objects if item["kind"] in CLUSTER_SCOPED]
    assert [metadata["name"] for metadata in named if "namespace" in metadata] == []


def test_every_object_has_the_standard_labels(objects: list[Tree]) -> None:
    for item in objects:
        missing = STANDARD_LABELS - set(item["metadata"]["labels"])
        assert not missing, f"{item['kind']} {item['metadata']['name']}"


def test_cluster_scoped_names_carry_the_release_and_its_namespace(objects: list[Tree]) -> None:
    for item in objects:
        if item["kind"] in CLUSTER_SCOPED - {"CustomResourceDefinition"}:
            assert item["metadata"]["name"].startswith("its-namespace:release-"), item["metadata"]["name"]


def test_every_pod_of_the_chart_is_selected_with_its_component(objects: list[Tree]) -> None:
    for item in objects:
        if item["kind"] == "Deployment":
            selector = item["spec"]["selector"]["matchLabels"]
            assert "app.kubernetes.io/component" in selector
            assert selector.items() <= item["spec"]["template"]["metadata"]["labels"].items()


def test_every_value_is_commented_for_the_reader() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r" *[a-zA-Z]+: \S", line) and not before.lstrip().startswith("#")
    ]
    assert bare == []
