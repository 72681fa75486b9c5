"""The operator's rights, after all other tests: none was missing, and none is granted in vain.

What it did is in the API server's audit log; what it may do is in the release as it is installed.
"""

import pytest
import yaml
from dask_operator.scope.claims import MARKER_RESOURCE
from dask_operator.scope.rights import Right

from tests.support.audit import ACCOUNTS, Call, calls
from tests.support.namespaces import WATCHED

from .test_crds import ok, run

ROLES = ("Role", "ClusterRole")


@pytest.fixture(scope="module", params=ACCOUNTS)
def part(request: pytest.FixtureRequest) -> str:
    """Each part of the release that has rights."""
    return str(request.param)


@pytest.fixture(scope="module")
def granted(part: str) -> set[Right]:
    """What the installed release allows a part of it, each verb on each resource, but for the mark of its scope."""
    manifest = ok(run("helm", "get", "manifest", "dask-operator", "--namespace", "dask-operator"))
    return {
        Right(group, resource, verb, name)
        for item in yaml.safe_load_all(manifest)
        if item and item["kind"] in ROLES
        if item["metadata"]["labels"]["app.kubernetes.io/component"] == part
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
        if resource != MARKER_RESOURCE
    }


@pytest.fixture(scope="module")
def made(since: str, part: str) -> list[Call]:
    """The part's calls in this run that were about resources."""
    found = [call for call in calls(since, part) if call.resource]
    assert found, f"the {part} has made no call: run this after other tests"
    return found


def _rights(call: Call) -> set[Right]:
    """The rights that would allow a call: a right for all names, or for its own."""
    general = Right(call.group, call.resource, call.verb)
    return {general, general._replace(name=call.name)}


def test_nothing_was_denied(made: list[Call], granted: set[Right]) -> None:
    # A right that is granted can be denied for a moment: by an API server that has just been started.
    refused = {call for call in made if call.denied and not _rights(call) & granted}
    assert refused == set()


def test_nothing_is_granted_in_vain(made: list[Call], granted: set[Right], whole_run: bool) -> None:
    if not whole_run:
        pytest.skip("only after a run of all cluster tests")
    used = {right for call in made if not call.denied for right in _rights(call)}
    assert granted - used == set()


@pytest.mark.skipif(not WATCHED, reason="the operator looks after all namespaces")
def test_an_operator_for_some_namespaces_makes_no_call_about_all(made: list[Call]) -> None:
    everywhere = {call for call in made if not call.namespace and not call.resource.startswith("selfsubject")}
    assert everywhere == set()
