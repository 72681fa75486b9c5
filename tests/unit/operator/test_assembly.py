"""The parts of the operator are put together so that every bound of the settings binds what it names."""

from typing import Any, cast

import pytest
from dask_operator import assembly
from dask_operator.api_server.kube import Kube
from dask_operator.api_server.pace import Pace
from dask_operator.assembly import ASIDE_CONNECTIONS, Parts, assemble
from dask_operator.queue import KeyedQueue
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.settings import Settings
from dask_operator.store import Key
from dask_operator_api.fence import Fence
from dask_operator_api.kinds import Kind
from kubernetes.aio.client.api_client import ApiClient

from tests.unit.operator.worlds import group

SETTINGS = Settings(
    concurrency=7, concurrency_per_cluster=3, connections=11, scheduler_connections=13, calls_per_second=17.0
)
"""Every bound another number."""


async def assembled(monkeypatch: pytest.MonkeyPatch) -> tuple[Parts, list[tuple[int, float]], list[int]]:
    """The parts; of every way to the API server the connections and the calls a second; connections to schedulers."""
    ways: list[tuple[int, float]] = []
    schedulers: list[int] = []

    async def noted(
        fence: Fence, agent: str, connections: int, called: Any = None, pace: Pace | None = None
    ) -> Kube:
        ways.append((connections, pace.rate if pace is not None else 0.0))
        return Kube(cast(ApiClient, None), fence, agent)  # nothing is called here

    def noted_schedulers(connections: int) -> DaskSchedulers:
        schedulers.append(connections)
        return DaskSchedulers(connections)

    monkeypatch.setattr(Kube, "connect", noted)
    monkeypatch.setattr(assembly, "DaskSchedulers", noted_schedulers)
    return await assemble(SETTINGS), ways, schedulers


async def test_connections_and_calls_are_bounded_but_for_the_lease_and_the_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, ways, schedulers = await assembled(monkeypatch)
    assert ways == [(11, 17.0), (ASIDE_CONNECTIONS, 0.0), (0, 0.0)]
    assert schedulers == [13]


async def test_the_groups_of_a_cluster_share_some_of_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, _, _ = await assembled(monkeypatch)
    assert (parts.queue.concurrency, parts.queue.per_family) == (7, 3)
    parts.store.groups.objects[("ns", "c-default")] = group()
    assert parts.queue.family(Key(Kind.WORKER_GROUP, "ns", "c-default")) == ("ns", "c")
    alone = Key(Kind.CLUSTER, "ns", "c")
    assert parts.queue.family(alone) == alone


@pytest.mark.parametrize(("parked_too", "complains"), [(False, False), (True, True)])
async def test_a_key_that_waits_for_its_cluster_s_others_is_no_sign_that_nobody_works(
    monkeypatch: pytest.MonkeyPatch, parked_too: bool, complains: bool
) -> None:
    parts, _, _ = await assembled(monkeypatch)

    def oldest(_: KeyedQueue, parked: bool = True) -> float:
        return 3600.0 if parked or parked_too else 0.0

    monkeypatch.setattr(KeyedQueue, "oldest_age", oldest)
    monkeypatch.setattr(parts.leadership, "steady_seconds", lambda: 3600.0)
    monkeypatch.setattr(parts.leadership, "tried_ago", lambda: 0.0)
    monkeypatch.setattr(parts.keeper, "deaf_seconds", lambda: 0.0)
    assert bool(parts.complaint()) is complains
