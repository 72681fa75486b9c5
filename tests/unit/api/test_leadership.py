"""Which of several processes leads, against a Lease in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from dask_operator_api import leadership
from dask_operator_api.election import LEASE_SECONDS, RENEW_SECONDS, Identity
from dask_operator_api.fence import Fence
from dask_operator_api.leadership import Leadership, LeadershipLost, Lease


class Failure(Exception):
    """Of a call."""


class Conflict(Failure):
    """Somebody has written it meanwhile."""


class Missing(Failure):
    """There is no Lease."""


@dataclass
class Api:
    """A Lease with optimistic concurrency."""

    holder: str = ""
    version: int = 1
    fails: bool = False
    missing: bool = False
    slow: asyncio.Event | None = None
    """A write is carried out at once, and answered when this is set."""
    carried_out: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[str] = field(default_factory=list)
    """Of the next writes: ``lost`` is carried out and fails, ``refused`` is not carried out."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> dict[str, Any]:
        if self.fails:
            raise Failure("no answer")
        if self.missing:
            raise Missing("no such Lease")
        meta = {"name": "lease", "namespace": "ns", "resourceVersion": str(self.version)}
        return {"metadata": meta, "spec": {"holderIdentity": self.holder, "leaseDurationSeconds": 15}}

    async def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        held = await self.read()
        failure = self.failures.pop(0) if self.failures else ""
        if failure == "refused":
            raise Failure("too many requests")
        if body["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
            raise Conflict("it has changed")
        self.bodies.append(body)
        self.version += 1
        self.holder = body["spec"]["holderIdentity"]
        if failure == "lost":
            raise Failure("the answer was lost")
        if self.slow is not None:
            self.carried_out.set()
            await self.slow.wait()
        return await self.read()


@dataclass
class World:
    """Some processes, one Lease, one clock."""

    api: Api = field(default_factory=Api)
    now: float = 100.0

    def process(self, name: str = "a") -> Leadership:
        me = Identity.of(f"pod-{name}", f"uid-{name}", "1")
        lease = Lease("ns", "lease", self.api.read, self.api.patch, Failure, Conflict, Missing)
        return Leadership(lease, me, Fence(lambda: self.now), lambda: self.now)


async def take(leading: Leadership) -> bool:
    """One look of a process that waits."""
    return await leading._attempt(leading._look_and_move)


async def renew(leading: Leadership) -> bool:
    """One renewal of a process that leads."""
    return await leading._attempt(leading._renew)


async def test_a_lease_that_nobody_holds_is_taken_and_leads_for_the_time_since_it_was_asked_for() -> None:
    world = World()
    mine = world.process()
    assert not mine.leading
    assert await take(mine)
    assert mine.fence.left() == RENEW_SECONDS
    assert world.api.holder == "pod-a_uid-a_1"
    world.now += RENEW_SECONDS
    assert not mine.leading


async def test_a_standby_waits_until_the_lease_was_not_renewed_for_its_time_which_is_after_the_leader_has_stopped() -> (
    None
):
    world = World()
    leader, standby = world.process("a"), world.process("b")
    assert await take(leader)
    assert not await take(standby)
    began = world.now
    while not await take(standby):
        world.now += 1
        assert world.now - began <= LEASE_SECONDS + 2
    assert not leader.leading
    assert world.now - began > LEASE_SECONDS
    written = len(world.api.bodies)
    with pytest.raises(LeadershipLost, match="pod-b"):
        await renew(leader)
    assert len(world.api.bodies) == written


async def test_a_leader_that_cannot_renew_stops_and_goes_on_if_nobody_has_taken_the_lease() -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.now += RENEW_SECONDS + 1
    assert mine.steady_seconds() == RENEW_SECONDS + 1
    world.api.fails = True
    assert not await renew(mine)
    assert not mine.leading
    assert mine.steady_seconds() == 0
    assert mine.tried_ago() == 0
    world.api.fails = False
    assert await renew(mine)
    assert mine.leading


@pytest.mark.parametrize(
    ("before", "during", "told"),
    [(2.0, 1.0, 0), (RENEW_SECONDS + 1, 0.5, 1), (RENEW_SECONDS - 2, 3.0, 1)],
    ids=["in time", "begun too late", "answered too late"],
)
async def test_who_depends_on_it_is_told_when_it_goes_on_after_the_fence_had_closed(
    monkeypatch: pytest.MonkeyPatch, before: float, during: float, told: int
) -> None:
    monkeypatch.setattr(leadership, "RETRY_SECONDS", 0.0)
    world, calls = World(), []
    mine = world.process()
    mine.resumed = lambda: calls.append(world.now)
    await take(mine)
    world.now += before
    world.api.slow = asyncio.Event()
    world.api.carried_out.clear()
    holding = asyncio.ensure_future(mine.hold())
    await world.api.carried_out.wait()
    world.now += during
    world.api.carried_out.clear()
    world.api.slow.set()
    await world.api.carried_out.wait()  # the next renewal, by which this one was dealt with
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert len(calls) == told


async def test_somebody_elses_note_on_the_lease_does_not_end_the_leadership() -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.api.version += 1
    world.now += 2
    assert await renew(mine)
    assert mine.fence.left() == RENEW_SECONDS


async def test_who_is_told_to_stop_hands_over_and_leads_no_more() -> None:
    world = World()
    mine, other = world.process("a"), world.process("b")
    await take(mine)
    await mine.release()
    assert not mine.leading
    assert await take(other)
    mine.fence.open_until(world.now + 100)  # by an answer that comes late
    assert not mine.leading


@pytest.mark.parametrize("under_way", [take, renew])
async def test_who_is_told_to_stop_while_a_write_is_under_way_waits_for_it_and_hands_over(
    under_way: Callable[[Leadership], Awaitable[bool]],
) -> None:
    world = World()
    mine = world.process()
    if under_way is renew:
        await take(mine)
    world.api.slow = asyncio.Event()
    writing = asyncio.ensure_future(under_way(mine))
    await world.api.carried_out.wait()
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    assert world.api.holder == mine.me.name
    releasing = asyncio.ensure_future(mine.release())
    world.api.slow.set()
    await releasing
    assert world.api.holder == ""


async def test_a_lease_that_was_taken_without_an_answer_is_handed_over() -> None:
    world = World()
    world.api.failures = ["lost"]
    mine = world.process()
    assert not await take(mine)
    assert world.api.holder == mine.me.name
    await mine.release()
    assert world.api.holder == ""


@pytest.mark.parametrize("failures", [["refused"], ["lost"], ["refused", "lost", "refused"]])
async def test_a_hand_over_that_fails_is_tried_again(failures: list[str]) -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.api.failures = failures
    await mine.release()
    assert world.api.holder == ""
    world.api.holder = "the next one"
    await mine.release()
    assert world.api.holder == "the next one"


@pytest.mark.parametrize("under_way", ["a renewal", "the hand-over"])
async def test_an_api_server_that_does_not_answer_holds_nobody_up_for_ever(
    under_way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    mine = world.process()
    await take(mine)
    monkeypatch.setattr(leadership, "CALL_SECONDS", 0.05)
    monkeypatch.setattr(leadership, "TRY_SECONDS", 0.02)
    world.api.slow = asyncio.Event()
    async with asyncio.timeout(5):
        if under_way == "a renewal":
            assert not await renew(mine)
        await mine.release()
    assert not mine.leading
    assert "has to expire: no answer" in caplog.text


async def test_a_lease_that_is_missing_is_not_asked_for_again_and_again_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.api.missing = True
    monkeypatch.setattr(leadership, "CALL_SECONDS", 60.0)
    async with asyncio.timeout(5):
        await mine.release()
    assert "has to expire: no such Lease" in caplog.text


async def test_a_lease_that_has_somebody_elses_note_is_handed_over_all_the_same() -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.api.version += 1
    await mine.release()
    assert world.api.holder == ""


async def test_a_lease_that_somebody_else_has_taken_meanwhile_is_left_alone() -> None:
    world = World()
    mine = world.process()
    await take(mine)
    world.api.version += 1
    world.api.holder = "other"
    await mine.release()
    assert world.api.holder == "other"


async def test_who_does_not_hold_the_lease_has_nothing_to_hand_over() -> None:
    world = World()
    world.api.holder = "other"
    mine = world.process()
    await take(mine)
    await mine.release()
    assert world.api.bodies == []


async def test_a_container_that_was_started_again_takes_its_pods_lease_at_once() -> None:
    world = World()
    world.api.holder = "pod-a_uid-a_0"
    assert await take(world.process())


async def test_a_lease_that_is_missing_is_told_once_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.api.missing = True
    mine = world.process()
    for _ in range(5):
        assert not await take(mine)
    assert [record.message.count("helm upgrade") for record in caplog.records] == [1]
