"""Liveness, deaf watches, rights, claims, the age of definitions: decisions on values."""

from dataclasses import replace
from typing import Any

import pytest
from dask_operator.scope import claims
from dask_operator.scope.definitions import too_old
from dask_operator.scope.rights import NEEDED, Right, in_words, missing
from dask_operator.vitals import (
    LEASE_LIMIT_SECONDS,
    LISTING_LIMIT_SECONDS,
    QUEUE_LIMIT_SECONDS,
    WATCH_LIMIT_SECONDS,
    Signs,
    complaint,
)
from dask_operator.watching.hearing import Hearing

WELL = Signs(
    steady=1e6, oldest=0.0, setback=1e6, lease_tried=1.0, listing_tried=200.0, resync=300.0, deaf=0.0
)
PODS = ("Pod", None)


def test_an_operator_that_works_is_alive() -> None:
    assert complaint(WELL) == ""


@pytest.mark.parametrize(
    ("sign", "seconds", "words"),
    [
        ("oldest", QUEUE_LIMIT_SECONDS, "queue"),
        ("lease_tried", LEASE_LIMIT_SECONDS, "Lease"),
        ("listing_tried", 300.0 + LISTING_LIMIT_SECONDS, "listed"),
        ("deaf", WATCH_LIMIT_SECONDS, "watches"),
    ],
)
def test_a_loop_that_has_stopped_trying_is_told(sign: str, seconds: float, words: str) -> None:
    assert complaint(replace(WELL, **{sign: seconds})) == ""
    assert words in complaint(replace(WELL, **{sign: seconds + 1}))


@pytest.mark.parametrize("sign", ["oldest", "deaf"])
def test_an_api_server_that_does_not_answer_is_no_reason_to_be_restarted(sign: str) -> None:
    assert complaint(replace(WELL, steady=0.0, **{sign: 1e5})) == ""
    assert complaint(replace(WELL, steady=10.0, **{sign: 1e5})) == ""


def test_a_queue_that_grows_old_over_tries_that_go_on_is_no_reason_either() -> None:
    assert complaint(replace(WELL, oldest=1e5, setback=5.0)) == ""


def test_a_watch_that_told_of_what_a_listing_shows_is_not_deaf() -> None:
    hearing = Hearing()
    hearing.hears(PODS, 7)
    hearing.listed(PODS, [3, 7], [])
    assert hearing.deaf() == []


def test_a_watch_that_tells_later_is_not_deaf() -> None:
    hearing = Hearing()
    hearing.listed(PODS, [3, 7], [])
    assert hearing.deaf() == [PODS]
    hearing.hears(PODS, 9)
    assert hearing.deaf() == []


def test_a_watch_that_missed_an_end_is_deaf() -> None:
    hearing = Hearing()
    hearing.hears(PODS, 7)
    hearing.listed(PODS, [3], [7])
    assert hearing.deaf() == [PODS]


def test_each_namespace_is_a_watch_of_its_own() -> None:
    hearing = Hearing()
    hearing.hears(("Pod", "a"), 100)
    hearing.listed(("Pod", "b"), [7], [])
    assert hearing.deaf() == [("Pod", "b")]


def test_watches_that_start_anew_owe_nothing() -> None:
    hearing = Hearing()
    hearing.listed(PODS, [7], [])
    hearing.begin()
    assert hearing.deaf() == []
    hearing.listed(PODS, [7], [])
    assert hearing.deaf() == [PODS], "what it heard in its former life does not count"


def rule(group: str, resources: str, verbs: str, *names: str) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
        **({"resourceNames": list(names)} if names else {}),
    }


def test_rights_may_come_from_several_rules() -> None:
    needed = (Right("", "pods", "get"), Right("", "pods", "list"))
    assert missing([rule("", "pods", "get"), rule("", "pods services", "list")], needed) == ()


def test_a_right_for_one_name_is_not_a_right_for_all() -> None:
    leases = Right("coordination.k8s.io", "leases", "get")
    rules = [rule("coordination.k8s.io", "leases", "get", "mine")]
    assert missing(rules, [leases]) == (leases,)
    assert missing(rules, [leases._replace(name="mine")]) == ()
    assert missing(rules, [leases._replace(name="yours")]) == (leases._replace(name="yours"),)


def test_a_right_to_a_resource_is_none_to_its_subresource() -> None:
    log = Right("", "pods/log", "get")
    assert missing([rule("", "pods", "get")], [log]) == (log,)


def test_stars_give_everything() -> None:
    assert missing([rule("*", "*", "*")], NEEDED) == ()


def test_missing_rights_make_one_readable_line() -> None:
    rights = [
        Right("", "pods", "list"),
        Right("", "pods", "watch"),
        Right("kubernetes.dask.org", "daskclusters/status", "patch"),
        Right("coordination.k8s.io", "leases", "get", "x"),
    ]
    assert in_words(rights) == (
        "pods: list, watch; daskclusters.kubernetes.dask.org/status: patch; leases.coordination.k8s.io 'x': get"
    )


def test_a_right_is_asked_for_with_its_subresource_apart() -> None:
    asked = Right("", "pods/log", "get").attributes("team-a")
    assert (asked["resource"], asked["subresource"], asked["namespace"]) == ("pods", "log", "team-a")


def claim(holder: str, namespace: str = "team-a") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "resourceVersion": "5"},
        "spec": {"holderIdentity": holder} if holder else {},
    }


def test_a_namespace_that_nobody_has_claimed_is_free() -> None:
    assert claims.rival_in("x/me", "team-a", claim(""), set()) == ""


def test_a_namespace_that_another_release_has_claimed_is_not() -> None:
    words = claims.rival_in("x/me", "team-a", claim("y/other"), set())
    assert "y/other" in words
    assert "team-a" in words


def test_a_release_for_all_namespaces_was_first_where_we_have_no_claim() -> None:
    assert "z/all" in claims.rival_in("x/me", "team-a", claim(""), {"z/all"})


def test_a_release_for_all_namespaces_came_second_where_we_have_a_claim() -> None:
    assert claims.rival_in("x/me", "team-a", claim("x/me"), {"z/all"}) == ""


def test_a_release_for_all_namespaces_is_second_to_every_claim() -> None:
    words = claims.rival_somewhere("z/all", [claim("z/all", "z"), claim("x/one", "b"), claim("x/one", "a")])
    assert "x/one" in words
    assert "a, b" in words


def test_claims_that_nobody_stands_in_are_no_rivals() -> None:
    assert claims.rival_somewhere("z/all", [claim("z/all", "z"), claim("", "a")]) == ""


def test_a_claim_is_written_once_and_only_over_what_was_seen() -> None:
    assert claims.claimed("x/me", claim("x/me")) is None
    patch = claims.claimed("x/me", claim(""))
    assert patch == {"metadata": {"resourceVersion": "5"}, "spec": {"holderIdentity": "x/me"}}


def document(**versions: str | None) -> dict[str, Any]:
    """An OpenAPI document with kinds of these versions; None for one that is not marked."""
    return {
        "components": {
            "schemas": {
                f"org.dask.{kind}": {
                    "description": f"A kind. (dask-operator {version})" if version else "A kind.",
                    "x-kubernetes-group-version-kind": [{"kind": kind}],
                }
                for kind, version in versions.items()
            }
        }
    }


KINDS = ("DaskCluster", "DaskWorkerGroup", "DaskJob", "DaskAutoscaler")


@pytest.mark.parametrize("version", ["1.2.3", "1.2.4", "1.10.0", "2.0.0"])
def test_definitions_of_the_same_age_or_newer_are_fine(version: str) -> None:
    assert too_old(document(**dict.fromkeys(KINDS, version)), "1.2.3") == ""


@pytest.mark.parametrize("version", ["1.2.2", "0.9.9", None])
def test_older_definitions_are_told_by_kind_and_version(version: str | None) -> None:
    words = too_old(document(**{**dict.fromkeys(KINDS, "1.2.3"), "DaskJob": version}), "1.2.3")
    assert "DaskJob" in words
    assert "DaskCluster" not in words
    assert (version or "without the version") in words


def test_definitions_that_are_not_there_are_told() -> None:
    assert "not installed" in too_old({}, "1.2.3")
