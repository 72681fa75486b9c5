"""The namespaces that are looked after: rights and claims, against an API server in memory that can fail."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from dask_operator.errors import Conflict, NotFound, TryAgain
from dask_operator.scope.rights import CLAIM, NEEDED, for_claims, for_leading
from dask_operator.scope.territory import Territory, Unfit


@dataclass
class Api:
    """Leases in memory, with optimistic concurrency; and rules that a service account has in each namespace."""

    leases: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fails: bool = False
    writes: int = 0

    def add(self, namespace: str, name: str, holder: str = "") -> None:
        meta = {"name": name, "namespace": namespace, "resourceVersion": "1"}
        self.leases[(namespace, name)] = {"metadata": meta, "spec": {"holderIdentity": holder}}

    def holder(self, namespace: str, name: str) -> str:
        return str(self.leases[(namespace, name)]["spec"].get("holderIdentity"))

    async def get(self, _: str, namespace: str, name: str) -> dict[str, Any]:
        if self.fails:
            raise TryAgain("no answer")
        if (namespace, name) not in self.leases:
            raise NotFound("no such Lease")
        return self.leases[(namespace, name)]

    async def patch(self, kind: str, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        held = await self.get(kind, namespace, name)
        version = held["metadata"]["resourceVersion"]
        if body.get("metadata", {}).get("resourceVersion", version) != version:
            raise Conflict("it has changed")
        self.writes += 1
        meta = {**held["metadata"], "resourceVersion": str(int(version) + 1)}
        self.leases[(namespace, name)] = {"metadata": meta, "spec": {**held["spec"], **body["spec"]}}
        return self.leases[(namespace, name)]

    async def list_named(self, _: str, name: str) -> list[dict[str, Any]]:
        return [body for (_, named), body in self.leases.items() if named == name]

    async def review(self, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        if kind == "SelfSubjectRulesReview":
            return {"resourceRules": self.rules.get(spec["namespace"], [])}
        return {"allowed": spec["resourceAttributes"]["namespace"] in (*self.rules, "")}


def rules(*rights: Any) -> list[dict[str, Any]]:
    return [
        {
            "apiGroups": [right.group],
            "resources": [right.resource],
            "verbs": [right.verb],
            **({"resourceNames": [right.name]} if right.name else {}),
        }
        for right in rights
    ]


MARK = {
    "apiGroups": ["kubernetes.dask.org"],
    "resources": ["allnamespaces"],
    "verbs": ["lookedafterby"],
    "resourceNames": ["z/all"],
}


def country(*namespaces: str) -> tuple[Api, Territory]:
    """An API server where a release may work in some namespaces."""
    api: Any = Api()
    api.rules["home"] = rules(*for_leading("me"))
    for namespace in namespaces:
        api.add(namespace, CLAIM)
        api.rules[namespace] = rules(*NEEDED, *for_claims())
    return api, Territory(api, "home", "me", namespaces)


async def test_a_release_claims_its_namespaces_when_it_enters() -> None:
    api, territory = country("a", "b")
    await territory.enter()
    assert territory.spaces == ("a", "b")
    assert {api.holder(space, CLAIM) for space in ("a", "b")} == {"home/me"}


async def test_a_namespace_without_rights_is_left_out_and_comes_back_with_them() -> None:
    api, territory = country("a", "b")
    held = api.rules.pop("b")
    await territory.enter()
    assert list(territory.spaces) == ["a"]
    assert "pods: get, list" in territory.left_out["b"]
    api.rules["b"] = held
    assert await territory.look()
    assert list(territory.spaces) == ["a", "b"]
    assert not await territory.look()


async def test_an_api_server_that_does_not_answer_changes_nothing() -> None:
    api, territory = country("a")
    await territory.enter()
    api.fails = True
    assert not await territory.look()
    assert territory.spaces == ("a",)


async def test_a_release_that_finds_another_in_one_of_its_namespaces_is_unfit() -> None:
    api, territory = country("a", "b")
    api.add("b", CLAIM, "x/other")
    with pytest.raises(Unfit, match="x/other"):
        await territory.enter()
    assert api.holder("a", CLAIM) == ""


async def test_a_release_that_finds_one_for_all_namespaces_is_unfit() -> None:
    api, territory = country("a")
    api.rules["a"].append(MARK)
    with pytest.raises(Unfit, match="z/all"):
        await territory.enter()


async def test_a_release_that_was_there_before_one_for_all_namespaces_goes_on() -> None:
    api, territory = country("a")
    await territory.enter()
    api.rules["a"].append(MARK)
    await territory.enter()
    assert territory.spaces == ("a",)


async def test_a_release_for_all_namespaces_lists_the_claims_of_others() -> None:
    api: Any = Api()
    api.rules["home"] = []
    api.add("home", CLAIM)
    api.add("a", CLAIM, "x/one")
    territory = Territory(api, "home", "me", ())
    with pytest.raises(Unfit, match="x/one"):
        await territory.enter()
    api.add("a", CLAIM)
    await territory.enter()
    assert api.holder("home", CLAIM) == "home/me"
    assert territory.spaces == (None,)


async def test_two_releases_for_all_namespaces_do_not_both_stay() -> None:
    api: Any = Api()
    for home in ("one", "two"):
        api.rules[home] = []
        api.add(home, CLAIM)
    both = [Territory(api, home, "me", ()) for home in ("one", "two")]
    done = await asyncio.gather(*(territory.enter() for territory in both), return_exceptions=True)
    assert sum(outcome is None for outcome in done) <= 1
    for home, outcome in zip(("one", "two"), done, strict=True):
        assert (api.holder(home, CLAIM) == f"{home}/me") == (outcome is None)
