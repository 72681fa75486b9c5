"""What is installed, as the API server's checks would see it: Pod Security, accounts, cluster-scoped objects."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .support import CHART, Renderer, Tree

CLUSTER_SCOPED = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
CASES: dict[str, Tree] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) or {}
    for path in (CHART / "ci").glob("*-values.yaml")
}
RESTRICTED_VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def objects(render: Renderer, request: pytest.FixtureRequest) -> list[Tree]:
    """What each of the values in ci/ renders."""
    return render.objects(CASES[request.param])


def pod_specs(objects: list[Tree]) -> Iterator[tuple[str, Tree]]:
    """The specs of all Pods, and whose they are."""
    for item in objects:
        if item["kind"] == "Deployment":
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def violations(spec: Tree) -> Iterator[str]:
    """Where a Pod is not what the profile `restricted` of Pod Security allows."""
    pod: Tree = spec.get("securityContext", {})
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    for volume in spec.get("volumes", []):
        yield from (f"volume {kind}" for kind in set(volume) - {"name"} - RESTRICTED_VOLUMES)
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        yield from _of_container(pod, container)


def _of_container(pod: Tree, container: Tree) -> Iterator[str]:
    own: Tree = {**pod, **container.get("securityContext", {})}
    wanted: dict[str, Any] = {"runAsNonRoot": True, "allowPrivilegeEscalation": False}
    for key, value in wanted.items():
        if own.get(key) is not value:
            yield f"{container['name']}: {key}"
    if own.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{container['name']}: seccompProfile"
    if own.get("capabilities") != {"drop": ["ALL"]} or own.get("privileged") or own.get("runAsUser") == 0:
        yield f"{container['name']}: privileges"


def test_every_pod_is_what_restricted_allows(objects: list[Tree]) -> None:
    found = {name: list(violations(spec)) for name, spec in pod_specs(objects)}
    assert found
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


def test_no_program_of_the_chart_can_write_to_its_root(objects: list[Tree]) -> None:
    for _, spec in pod_specs(objects):
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_cluster_of_the_test_is_what_restricted_allows_too(render: Renderer) -> None:
    (pod,) = [item for item in render.objects() if item["kind"] == "Pod"]
    environment = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    cluster = yaml.safe_load(environment["CLUSTER"])
    for component in ("scheduler", "worker"):
        assert list(violations(cluster["spec"][component]["spec"])) == []


def test_an_account_gives_its_token_to_nobody_who_does_not_ask(objects: list[Tree]) -> None:
    accounts = [item for item in objects if item["kind"] == "ServiceAccount"]
    assert accounts
    assert all(item["automountServiceAccountToken"] is False for item in accounts)


def test_nothing_is_cluster_scoped_for_some_namespaces_with_definitions_of_others(render: Renderer) -> None:
    for case in CASES.values():
        values = {**case, "dask": {}, "watchNamespaces": ["team-a", "team-b"], "crds": {"install": False}}
        kinds = {item["kind"] for item in render.objects(values)}
        assert kinds & CLUSTER_SCOPED == set()
        assert {"Deployment", "Role"} <= kinds


def test_two_releases_of_one_name_in_two_namespaces_share_no_object(render: Renderer) -> None:
    beside = Renderer(render.helm, namespace="another-namespace")
    values: Tree = {"crds": {"install": False}}
    one, other = ({_identity(item) for item in side.objects(values)} for side in (render, beside))
    assert one & other == set()


def test_two_releases_in_one_namespace_share_nothing_but_the_claim_that_keeps_them_apart(
    render: Renderer,
) -> None:
    beside = Renderer(render.helm, release="another")
    values: Tree = {"crds": {"install": False}}
    one, other = ({_identity(item) for item in side.objects(values)} for side in (render, beside))
    assert {kind for kind, _, _ in one & other} == {"Lease"}


def _identity(item: Tree) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]
