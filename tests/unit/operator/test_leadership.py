"""The loops around the Lease, rights and claims, against an API server in memory that can fail."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from dask_operator.errors import ApiError, Conflict, NotFound, TryAgain
from dask_operator.scope.rights import CLAIM, NEEDED, for_claims, for_leading
from dask_operator.scope.territory import Territory, Unfit
from dask_operator_api.election import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Identity,
    Move,
    Record,
    held_by,
    move,
    sight,
)
from dask_operator_api.fence import Fence
from dask_operator_api.leadership import Leadership, LeadershipLost, Lease


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


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


ME = Identity.of("pod-a", "uid-a", "1")


def leadership(api: Any, clock: Clock, me: Identity = ME) -> Leadership:
    held = Lease(
        "ns",
        "lease",
        read=lambda: api.get("Lease", "ns", "lease"),
        patch=lambda body: api.patch("Lease", "ns", "lease", body),
        failure=ApiError,
        conflict=Conflict,
        missing=NotFound,
    )
    return Leadership(held, me, Fence(clock), clock)


def lease(holder: str = "") -> Api:
    api = Api()
    api.add("ns", "lease", holder)
    return api


async def test_the_fence_opens_with_the_lease_and_for_the_time_since_it_was_asked_for() -> None:
    clock = Clock()
    mine = leadership(lease(), clock)
    assert not mine.leading
    await mine.acquire()
    assert mine.fence.left() == RENEW_SECONDS
    clock.now += RENEW_SECONDS
    assert not mine.leading


async def test_a_lease_that_was_handed_over_is_free_and_its_former_holder_writes_no_more() -> None:
    api, clock = lease(), Clock()
    mine = leadership(api, clock)
    await mine.acquire()
    await mine.release()
    assert api.holder("ns", "lease") == ""
    assert not mine.leading
    mine.fence.open_until(clock.now + 100)
    assert not mine.leading


async def test_who_does_not_hold_the_lease_has_nothing_to_hand_over() -> None:
    api = lease("other")
    await leadership(api, Clock()).release()
    assert api.writes == 0


async def test_a_renewal_after_the_fence_has_closed_asks_first_and_writes_only_what_is_its_own() -> None:
    api, clock = lease(), Clock()
    mine = leadership(api, clock)
    await mine.acquire()
    clock.now += 60
    api.leases[("ns", "lease")]["spec"]["holderIdentity"] = "other"
    before = api.writes
    with pytest.raises(LeadershipLost, match="other"):
        await mine._renew()
    assert api.writes == before


async def test_a_lease_that_nobody_has_taken_meanwhile_is_renewed() -> None:
    api, clock = lease(), Clock()
    mine = leadership(api, clock)
    await mine.acquire()
    clock.now += 60
    assert await mine._renew()
    assert mine.leading


async def test_an_api_server_that_fails_is_not_steady_and_tries_go_on() -> None:
    api, clock = lease(), Clock()
    mine = leadership(api, clock)
    await mine.acquire()
    clock.now += 5
    assert mine.steady_seconds() == 5
    api.fails = True
    assert not await mine._attempt(mine._renew)
    assert mine.steady_seconds() == 0
    assert mine.tried_ago() == 0


@dataclass
class Process:
    """A process in a simulation: it looks, decides, stands still at any moment, and goes on."""

    me: Identity
    seen: Any = None
    until: float = float("-inf")
    asleep_until: float = 0.0
    sent: tuple[float, Record] | None = None


@pytest.mark.parametrize("seed", range(20))
def test_no_two_fences_are_ever_open_at_the_same_time(seed: int) -> None:
    chance = random.Random(seed)
    record = Record("1")
    processes = [Process(Identity.of(f"pod-{n}", f"uid-{n}", "0")) for n in range(3)]
    led: set[str] = set()
    now = 0.0
    for _ in range(20_000):
        now += chance.uniform(0.0, 0.4)
        process = chance.choice(processes)
        if now < process.asleep_until:
            continue
        if chance.random() < 0.01:
            process.asleep_until = now + chance.uniform(1, 40)
            continue
        if process.sent is not None:  # the answer arrives, late perhaps
            sent, based_on = process.sent
            process.sent = None
            if record == based_on:
                record = Record(str(int(record.version) + 1), process.me.name, LEASE_SECONDS)
                process.until = sent + RENEW_SECONDS
                process.seen = sight(None, record, sent)
        elif chance.random() < 0.2:
            process.seen = sight(process.seen, record, now)
            if move(process.me, process.seen) is not Move.WAIT:
                assert held_by(process.me, record, "")["spec"]["holderIdentity"] == process.me.name
                process.sent = (now, record)
        open_now = [p.me.name for p in processes if p.until > now]
        led.update(open_now)
        assert len(open_now) <= 1, open_now
    assert len(led) == len(processes), "all of them have led at some time"


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
