"""Starts that are given up, in the order of threads that is the worst."""

import asyncio
import threading
import time
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from dask_operator_client import KubeCluster, errors, lifecycle
from dask_operator_client.kube import Claim
from dask_operator_client.login import Source


class BusySession:
    """A session that creates its cluster just when it is cancelled."""

    namespace = "ns"

    def __init__(self, sure: bool) -> None:
        self.claim = Claim("c", "ns", Source(""))
        self.created = False
        self.deleted: list[bool] = []
        self.asked = threading.Event()
        self._sure = sure

    async def find_or_create(self, *_: Any) -> None:
        self.asked.set()
        time.sleep(0.2)  # noqa: ASYNC251  # the thread does not hear of the cancellation before
        self.created = True
        await asyncio.Event().wait()

    async def end(self, delete: bool) -> bool:
        self.deleted.append(delete)
        return self._sure


class Forgetful(BusySession):
    """A session that has not heard what became of its cluster."""

    async def find_or_create(self, *_: Any) -> None:
        self.created = True
        raise errors.AnswerLost("no answer")


def test_what_may_yet_come_to_be_is_looked_for_at_once_and_again_when_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Forgetful(sure=False)
    exits: list[Claim] = []
    held: list[weakref.finalize[Any, Any]] = []

    async def open_session(*_: Any) -> BusySession:
        return session

    def finalize(*arguments: Any) -> Any:
        held.append(weakref.finalize(*arguments))
        return held[-1]

    monkeypatch.setattr(lifecycle, "_open_session", open_session)
    monkeypatch.setattr(lifecycle, "_kube_module", lambda: SimpleNamespace(delete_at_exit=exits.append))
    monkeypatch.setattr(lifecycle, "weakref", SimpleNamespace(finalize=finalize))
    with pytest.raises(errors.AnswerLost) as caught:  # the error keeps the cluster
        KubeCluster(name="c", quiet=True)
    assert exits == [session.claim]
    assert [each.alive for each in held] == [True]
    held[0].detach()
    assert caught.traceback


@pytest.mark.parametrize("sure", [True, False])
async def test_what_is_created_while_a_start_is_given_up_is_deleted_and_not_forgotten_before(
    monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    session = BusySession(sure)
    exits: list[Claim] = []

    async def open_session(*_: Any) -> BusySession:
        return session

    monkeypatch.setattr(lifecycle, "_open_session", open_session)
    monkeypatch.setattr(lifecycle, "_kube_module", lambda: SimpleNamespace(delete_at_exit=exits.append))
    cluster = KubeCluster(name="c", quiet=True, asynchronous=True)
    starting = asyncio.ensure_future(cluster._started())
    assert await asyncio.to_thread(session.asked.wait, 5)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert session.deleted == [True]
    assert cluster._finalizer is not None
    assert cluster._finalizer.alive is not sure
    cluster._finalizer.detach()
