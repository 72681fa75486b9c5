"""Several releases in one Kubernetes cluster: each looks after its own namespaces, and none after another's."""

import json
import re
import secrets
from collections.abc import Iterator

import pytest
from dask_operator.scope.rights import CLAIM

from tests.support.dask import dask_cluster, fake_worker_pods
from tests.support.kubectl import apply, eventually, get, kubectl, list_objects
from tests.support.namespaces import WATCHED
from tests.support.operator_process import DEPLOYMENT, NAMESPACE, wait_rolled_out

from .test_crds import CHART, ok, run

VALUES = CHART / "ci" / "local-values.yaml"
RELEASE = "second"
FIRST = f"{NAMESPACE}/{DEPLOYMENT}"

pytestmark = pytest.mark.alone


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A namespace of the second release, with another that it may look after, ``<it>-team``; both go in the end."""
    name = f"scope-{secrets.token_hex(3)}"
    for namespace in (name, f"{name}-team"):
        kubectl("create", "namespace", namespace)
    yield name
    run("helm", "uninstall", RELEASE, "--namespace", name, "--ignore-not-found")
    kubectl("delete", "namespace", name, f"{name}-team", "--wait=false")


def _image() -> list[str]:
    """The image of the first release."""
    deployment = get(NAMESPACE, "deployment", DEPLOYMENT) or {}
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    path, _, tag = image.rpartition(":")
    registry, _, repository = path.partition("/")
    parts = {"registry": registry, "repository": repository, "tag": tag}
    return [f"--set-string=operator.image.{key}={value}" for key, value in parts.items()]


def _install(namespace: str, *watched: str) -> None:
    listed = [f"--set-json=watchNamespaces={json.dumps(watched)}"] if watched else []
    values = (f"--values={VALUES}", "--set=crds.install=false", *_image())
    ok(run("helm", "install", RELEASE, str(CHART), "--namespace", namespace, *values, *listed))


def _log(namespace: str) -> str:
    """What the second release's operator says, in this life of its container or the one before."""
    deployment = f"deployment/{RELEASE}-dask-operator"
    now = kubectl("logs", "-n", namespace, deployment, check=False)
    return now + kubectl("logs", "-n", namespace, deployment, "--previous", check=False)


def test_an_operator_writes_itself_into_its_claims_before_it_works() -> None:
    claimed = WATCHED or (NAMESPACE,)
    for namespace in claimed:
        kubectl(
            "patch", "lease", CLAIM, "-n", namespace, "--type=merge", "-p", '{"spec": {"holderIdentity": ""}}'
        )
    kubectl("rollout", "restart", f"deployment/{DEPLOYMENT}", "-n", NAMESPACE)
    wait_rolled_out()
    for namespace in claimed:
        claim = get(namespace, "lease", CLAIM) or {}
        assert claim["spec"]["holderIdentity"] == FIRST


@pytest.mark.skipif(bool(WATCHED), reason="the first release looks after some namespaces only")
@pytest.mark.parametrize("for_all", [False, True], ids=["for-some", "for-all"])
def test_a_second_release_refuses_what_the_first_one_looks_after_and_names_it(
    elsewhere: str, for_all: bool
) -> None:
    _install(elsewhere, *([] if for_all else [f"{elsewhere}-team"]))
    eventually("the refusal", lambda: f"release {FIRST} looks after" in _log(elsewhere), 60)
    assert "change watchNamespaces" in _log(elsewhere)


@pytest.mark.skipif(not WATCHED, reason="the first release looks after all namespaces")
def test_a_release_for_all_namespaces_refuses_to_be_second(elsewhere: str) -> None:
    _install(elsewhere)
    eventually("the refusal", lambda: f"release {FIRST} looks after" in _log(elsewhere), 60)


@pytest.mark.skipif(not WATCHED, reason="the first release looks after all namespaces")
def test_helm_refuses_a_second_release_for_the_same_namespace_and_names_the_first(elsewhere: str) -> None:
    values = (
        f"--values={VALUES}",
        "--set=crds.install=false",
        f"--set-json=watchNamespaces={json.dumps(WATCHED[:1])}",
    )
    done = run("helm", "install", RELEASE, str(CHART), "--namespace", elsewhere, *values)
    assert done.returncode != 0
    assert f'current value is "{DEPLOYMENT}"' in done.stderr


def _serves(namespace: str, name: str) -> None:
    apply(
        namespace,
        dask_cluster(name, 1, worker={"spec": fake_worker_pods()}, scheduler={"spec": fake_worker_pods()}),
    )

    def complete() -> bool:
        item = get(namespace, "daskcluster", name) or {}
        return bool(item.get("status", {}).get("workers", {}).get("summary") == "1/1")

    eventually(f"{name} in {namespace} to be complete", complete, 30)


@pytest.mark.skipif(not WATCHED, reason="the first release looks after all namespaces")
def test_two_releases_live_side_by_side_and_a_namespace_without_rights_is_left_out(
    elsewhere: str, namespace: str
) -> None:
    own, lost = elsewhere, f"{elsewhere}-team"
    _install(elsewhere, own, lost)
    _serves(own, "one")
    _serves(lost, "two")
    _serves(namespace, "three")
    kubectl("delete", "rolebinding", f"{RELEASE}-dask-operator", "-n", lost)
    eventually("the namespace to be left out", lambda: f"{lost} is left out" in _log(elsewhere), 60)
    assert "pods: get, list, watch" in _log(elsewhere)
    eventually("the Lease to tell", lambda: f"in namespace {lost}: " in _left_out(elsewhere), 10)
    assert _namespaces(elsewhere) == {"served": 1, "left_out": 1}
    _serves(own, "four")
    [pod] = list_objects(own, "pods", "app.kubernetes.io/component=operator")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    values = ("--reuse-values", "--set=operator.resyncSeconds=301")
    ok(run("helm", "upgrade", RELEASE, str(CHART), "--namespace", elsewhere, *values))
    _serves(lost, "five")
    eventually("the Lease to tell nothing any more", lambda: not _left_out(elsewhere), 40)
    assert _namespaces(elsewhere) == {"served": 2, "left_out": 0}


def _left_out(elsewhere: str) -> str:
    """What the second release's Lease says about namespaces that it cannot look after."""
    lease = get(elsewhere, "lease", f"{RELEASE}-dask-operator") or {}
    return str(lease["metadata"].get("annotations", {}).get("kubernetes.dask.org/left-out", ""))


def _namespaces(elsewhere: str) -> dict[str, int]:
    """How many namespaces the second release's leader looks after, and leaves out, by its metrics."""
    [pod] = list_objects(elsewhere, "pods", "app.kubernetes.io/component=operator")
    path = f"/api/v1/namespaces/{elsewhere}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
    found = re.findall(
        r'^dask_operator_namespaces{state="(\w+)"} ([\d.]+)$', kubectl("get", "--raw", path), re.M
    )
    return {state: int(float(value)) for state, value in found}
