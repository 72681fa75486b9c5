"""The chart on a real API server: every case of ci/, restricted Pod Security, releases side by side, and their end."""

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.dask import dask_cluster, fake_worker_pods
from tests.support.kubectl import ROOT, Tree, apply, eventually, get, kubectl, list_objects
from tests.support.namespaces import WATCHED
from tests.support.operator_process import NAMESPACE
from tests.support.releases import (
    CHART,
    TAKE,
    definitions,
    image_values,
    instead_of_the_release,
    namespace_gone,
    namespaces,
    previous_chart,
    run,
    uninstall,
    upgrade,
    wait_for_cluster,
)

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
MONITORS = ROOT / "build" / "openapi" / "prometheus-operator"
FAKE = {
    "worker": {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0},
    "scheduler": {"spec": fake_worker_pods()},
}


@pytest.fixture
def place() -> str:
    """A name that nobody has."""
    return f"install-{secrets.token_hex(3)}"


@pytest.fixture
def alone() -> Iterator[None]:
    """Without the release of the other tests."""
    with instead_of_the_release():
        yield


@pytest.fixture
def monitors() -> Iterator[None]:
    """The definitions of the Prometheus operator, which nobody here acts on."""
    files = sorted(MONITORS.glob("*.yaml"))
    assert files, f"{MONITORS} is empty: run `make tools`"
    names = [yaml.safe_load(file.read_text())["metadata"]["name"] for file in files]
    kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
    kubectl("wait", "--for=condition=Established", "crd", *names, "--timeout=60s")
    yield
    kubectl("delete", "crd", *names, "--ignore-not-found")


@pytest.mark.skipif(bool(WATCHED), reason="the test's cluster would be in a namespace of another test")
def test_the_chart_s_own_test_passes_and_leaves_nothing() -> None:
    said = run("helm", "test", "dask-operator", f"--namespace={NAMESPACE}", "--logs")
    assert "Phase:          Succeeded" in said
    selector = "app.kubernetes.io/component=test"
    eventually("the Pod to be gone", lambda: not list_objects(NAMESPACE, "pods", selector), 60)
    assert get(NAMESPACE, "daskcluster", "test-dask-operator") is None
    assert get(NAMESPACE, "serviceaccount", "dask-operator-test") is None


@pytest.mark.skipif(bool(WATCHED), reason="the test's cluster would be in a namespace of another test")
def test_people_with_the_usual_roles_may_do_what_these_say() -> None:
    def may(role: str, verb: str, resource: str, part: str = "") -> bool:
        as_one = f"--as=system:serviceaccount:{NAMESPACE}:of-{role}"
        asked = (verb, f"{resource}.kubernetes.dask.org", f"--subresource={part}", "-n", NAMESPACE, as_one)
        return kubectl("auth", "can-i", *asked, check=False).strip() == "yes"

    bindings = [f"may-{role}-{secrets.token_hex(2)}" for role in ("view", "edit", "admin")]
    try:
        for role, binding in zip(("view", "edit", "admin"), bindings, strict=True):
            account = f"--serviceaccount={NAMESPACE}:of-{role}"
            kubectl("create", "rolebinding", binding, "-n", NAMESPACE, f"--clusterrole={role}", account)
        eventually("the rights to be there", lambda: may("admin", "create", "daskclusters"), 30)
        for resource in ("daskclusters", "daskworkergroups", "daskjobs", "daskautoscalers"):
            assert may("view", "watch", resource)
            assert not may("view", "create", resource)
            assert may("edit", "delete", resource)
            assert may("view", "get", resource, "status")
            assert not may("admin", "patch", resource, "status")
        assert may("edit", "patch", "daskclusters", "scale")
        assert not may("view", "patch", "daskclusters", "scale")
    finally:
        kubectl("delete", "rolebinding", *bindings, "-n", NAMESPACE, "--ignore-not-found")


CASES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
SHORT = "default-values.yaml"
"""The case that is short enough for every run of the tests."""


@pytest.fixture
def checkout(case: str, tmp_path: Path) -> Path:
    """A repository with the chart of the commit before, and on top of it this one, uncommitted edits too.

    Of the cases of chart-testing both have ``case`` only. The commit before is ``origin/previous`` there.
    """
    folder = tmp_path / "checkout"
    folder.mkdir()
    run("git", "init", "--quiet", folder)
    previous_chart(folder)
    _commit(folder, case)
    run("git", "update-ref", "refs/remotes/origin/previous", "HEAD", folder=folder)
    shutil.rmtree(folder / CHART.relative_to(ROOT))
    shutil.copytree(CHART, folder / CHART.relative_to(ROOT))
    shutil.copy(ROOT / "ct.yaml", folder)
    _commit(folder, case)
    (folder / "build").symlink_to(ROOT / "build")
    return folder


def _commit(folder: Path, case: str) -> None:
    for values in (folder / CHART.relative_to(ROOT) / "ci").glob("*-values.yaml"):
        if values.name != case:
            values.unlink()
    someone = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    run("git", "add", "--all", folder=folder)
    run("git", *someone, "commit", "--quiet", "--allow-empty", "--message=chart", folder=folder)


@pytest.mark.alone
@pytest.mark.usefixtures("alone", "monitors")
@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=[] if name == SHORT else [pytest.mark.slow]) for name in CASES]
)
def test_every_case_installs_upgrades_and_passes_its_own_test(case: str, checkout: Path) -> None:
    extra = f"--helm-extra-set-args={' '.join((*image_values(), *TAKE))}"
    upgrades = ("--upgrade", "--target-branch=previous")
    with namespaces("team-a", "team-b"):
        charts = ("--charts", CHART.relative_to(ROOT))
        said = run("ct", "install", *charts, *upgrades, extra, seconds=900, folder=checkout)
    assert case in said
    assert "All charts installed successfully" in said
    kept = yaml.safe_load((CHART / "ci" / case).read_text() or "{}") or {}
    assert len(definitions()) == (4 if kept.get("crds", {}).get("keep", True) else 0)


@pytest.mark.alone
@pytest.mark.usefixtures("alone")
def test_a_namespace_that_enforces_restricted_takes_the_release_and_its_test(place: str) -> None:
    with namespaces(place, labels=RESTRICTED):
        upgrade("dask", place, *TAKE, "--set=operator.replicas=2")
        said = run("helm", "test", "dask", f"--namespace={place}", "--logs")
        assert "Succeeded" in said
        refused = [
            event for event in list_objects(place, "events") if "violates PodSecurity" in event["message"]
        ]
        assert refused == []
        uninstall("dask", place)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("alone")
def test_two_releases_of_one_name_live_side_by_side_without_anything_cluster_scoped(place: str) -> None:
    sides = [(f"{place}-{side}", f"{place}-{side}-team") for side in ("one", "two")]
    with namespaces(*(name for side in sides for name in side)):
        for home, team in sides:
            watched = f"--set-json=watchNamespaces={json.dumps([team])}"
            upgrade("dask", home, "--set=crds.install=false", watched)
            manifest = run("helm", "get", "manifest", "dask", f"--namespace={home}")
            kinds = {item["kind"] for item in yaml.safe_load_all(manifest) if item}
            assert not {kind for kind in kinds if kind.startswith(("Cluster", "Custom"))}
        for _, team in sides:
            apply(team, dask_cluster("same-name", 1, **FAKE))
        for home, team in sides:
            wait_for_cluster(team, "same-name", 1)
            uninstall("dask", home)


def _with_a_cluster(place: str) -> None:
    apply(place, dask_cluster("left", 2, **FAKE))
    wait_for_cluster(place, "left", 2)


def _release_first(place: str, home: str) -> None:
    uninstall("dask", home)
    kubectl("delete", "daskcluster", "left", "-n", place, "--timeout=60s")


def _cluster_first(place: str, home: str) -> None:
    kubectl("delete", "daskcluster", "left", "-n", place, "--timeout=60s")
    uninstall("dask", home)


def _namespaces_at_once(place: str, home: str) -> None:
    kubectl("delete", "namespace", home, place, "--wait=false")
    uninstall("dask", home)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("end", [_release_first, _cluster_first, _namespaces_at_once])
def test_in_whatever_order_things_are_taken_away_nothing_is_stuck(place: str, end: object) -> None:
    home = f"{place}-home"
    with namespaces(place, home):
        upgrade("dask", home, *TAKE)
        _with_a_cluster(place)
        assert callable(end)
        end(place, home)
        eventually("the Dask Pods to be gone", lambda: not _dask_pods(place), 120)
        assert len(definitions()) == 4, "the definitions stay"
    assert namespace_gone(place)
    assert namespace_gone(home)


def _dask_pods(place: str) -> list[Tree]:
    return list_objects(place, "pods", "dask.org/cluster-name=left")
