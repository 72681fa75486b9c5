"""CustomResourceDefinitions that were there first: the chart takes them over, and never lets them go.

The test changes objects that the whole cluster shares, and puts back what it found. Nobody's custom resources
are deleted by it: definitions that were there stay there, with another schema for some seconds.
"""

import json
import secrets
from collections.abc import Iterator

import pytest
import yaml

from .test_crds import CHART, PLURALS, Tree, custom, ok, run

pytestmark = pytest.mark.alone

NAMESPACE = f"chart-takeover-{secrets.token_hex(3)}"
NAMES = [f"{plural}.kubernetes.dask.org" for plural in PLURALS]
OWNER = "meta.helm.sh/release-name"


def live(name: str) -> Tree:
    """A CustomResourceDefinition as the API server has it."""
    found: Tree = json.loads(ok(run("kubectl", "get", "crd", name, "--output=json")))
    return found


def rendered(plural: str) -> Tree:
    """A CustomResourceDefinition as the chart has it."""
    template = f"templates/crds/{plural}.yaml"
    body: Tree = yaml.safe_load(ok(run("helm", "template", "x", str(CHART), "--show-only", template)))
    return body


def foreign(body: Tree) -> Tree:
    """The same definition as somebody else's chart would apply it by kubectl: no owner, an open schema."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {**body["spec"]["versions"][0], "schema": {"openAPIV3Schema": schema}}
    spec = {**body["spec"], "versions": [version]}
    return {**body, "metadata": {"name": body["metadata"]["name"]}, "spec": spec}


def applied(bodies: list[Tree], manager: str) -> None:
    """Apply definitions on the server in the name of ``manager``, and wait until they are served."""
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    force = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
    ok(run("kubectl", "apply", *force, "--filename=-", stdin=stdin))
    names = [body["metadata"]["name"] for body in bodies]
    ok(run("kubectl", "wait", "--for=condition=Established", "--timeout=60s", "crd", *names))


def disown() -> None:
    """Take a release's marks off the definitions, as if no release had made them."""
    ok(run("kubectl", "label", "crd", *NAMES, "app.kubernetes.io/managed-by-"))
    ok(run("kubectl", "annotate", "crd", *NAMES, f"{OWNER}-", "meta.helm.sh/release-namespace-"))


def put_back(found: list[Tree]) -> None:
    """Give the definitions the owner and schema that were found; without any, they go unless in use."""
    if found:
        applied(found, "helm")
        return
    left = [ok(run("kubectl", "get", plural, "--all-namespaces", "--output=name")) for plural in PLURALS]
    if not any(left):
        ok(run("kubectl", "delete", "crd", *NAMES))


def found_definitions() -> list[Tree]:
    """The definitions in the cluster, with nothing but what a release would have applied."""
    command = ("get", "crd", "--ignore-not-found", "--output=json")
    text = ok(run("kubectl", *command, *NAMES))
    items: list[Tree] = json.loads(text).get("items", []) if text.strip() else []
    for item in items:
        metadata = item["metadata"]
        item.pop("status", None)
        item["metadata"] = {
            key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata
        }
    return items


@pytest.fixture
def foreign_definitions() -> Iterator[None]:
    """Definitions that no release made, in place of those that were found."""
    found = found_definitions()
    ok(run("kubectl", "create", "namespace", NAMESPACE))
    try:
        applied([foreign(rendered(plural)) for plural in PLURALS], "kubectl")
        disown()
        yield
    finally:
        for release in ("first", "second"):
            run("helm", "uninstall", release, "--namespace", NAMESPACE, "--ignore-not-found")
        run("kubectl", "--namespace", NAMESPACE, "delete", "daskworkergroups", "--all")
        ok(run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false"))
        put_back(found)


def install(release: str, *flags: str) -> str:
    """``helm install`` with an operator that cannot start; gives helm's complaint, empty if there is none."""
    parts = ("registry=localhost", "repository=nothing", "pullPolicy=Never")
    image = [f"--set=operator.image.{part}" for part in parts]
    done = run("helm", "install", release, str(CHART), "--namespace", NAMESPACE, *image, *flags)
    return done.stderr if done.returncode else ""


def old_group() -> Tree:
    """A group whose name only an older schema takes, without a cluster, so that no operator acts on it."""
    return custom(
        "DaskWorkerGroup", {"cluster": "nobody", "worker": {"spec": {"containers": []}}}, "old.name"
    )


def edit_old_group() -> None:
    """Everything an operator and a user do to an object: metadata, status, scale."""
    target = ("--namespace", NAMESPACE, "daskworkergroup", "old.name")
    ok(run("kubectl", "label", *target, "touched=yes"))
    status = '{"status": {"replicas": 0}}'
    ok(run("kubectl", "patch", *target, "--subresource=status", "--type=merge", "--patch", status))
    ok(run("kubectl", "scale", *target, "--replicas=2"))


@pytest.mark.usefixtures("foreign_definitions")
def test_definitions_made_by_others_are_taken_over_with_two_flags_and_survive_the_release() -> None:
    ok(run("kubectl", "--namespace", NAMESPACE, "create", "--filename=-", stdin=json.dumps(old_group())))

    assert "invalid ownership metadata" in install("first")
    assert install("first", "--take-ownership", "--force-conflicts") == ""
    assert {live(name)["metadata"]["annotations"][OWNER] for name in NAMES} == {"first"}
    for plural, name in zip(PLURALS, NAMES, strict=True):
        assert live(name)["spec"]["versions"] == rendered(plural)["spec"]["versions"]
    edit_old_group()

    ok(run("helm", "uninstall", "first", "--namespace", NAMESPACE))
    assert [live(name)["metadata"].get("deletionTimestamp") for name in NAMES] == [None] * len(NAMES)
    assert install("second", "--take-ownership", "--force-conflicts") == ""
    assert {live(name)["metadata"]["annotations"][OWNER] for name in NAMES} == {"second"}
    edit_old_group()
