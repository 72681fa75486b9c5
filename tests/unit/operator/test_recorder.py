"""Events are written in the background: a failure of one is tried again, and holds up no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from dask_operator.api_server import recorder
from dask_operator.api_server.kube import Kube
from dask_operator.api_server.recorder import Recorder
from dask_operator.errors import ApiError, Conflict, NotFound, TryAgain, Uncertain
from dask_operator.observed.objects import cluster_view

from tests.unit.operator.worlds import cluster_body


class EventApi:
    """An API server that takes Events; ``failures`` are for its next calls, None for one that hangs."""

    def __init__(self, *failures: ApiError | None) -> None:
        self.written: dict[str, dict[str, Any]] = {}
        self.changed = asyncio.Event()
        self._failures = list(failures)

    async def _maybe_fail(self) -> None:
        if self._failures:
            failure = self._failures.pop(0)
            if failure is None:
                await asyncio.Event().wait()
            else:
                raise failure

    async def create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        await self._maybe_fail()
        if body["metadata"]["name"] in self.written:
            raise Conflict("already exists")
        self.written[body["metadata"]["name"]] = body
        self.changed.set()
        return body

    async def patch(self, kind: str, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        await self._maybe_fail()
        if name not in self.written:
            raise NotFound(name)
        self.written[name].update(body)
        return self.written[name]

    async def messages(self, number: int) -> list[str]:
        """The messages written, as soon as there are that many."""
        while len(self.written) < number:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 5)
        return sorted(body["message"] for body in self.written.values())


@asynccontextmanager
async def running(api: EventApi) -> AsyncIterator[Recorder]:
    writer = Recorder(cast(Kube, api), "test")
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.01)


def _tell(writer: Recorder, message: str) -> None:
    writer.tell(cluster_view(cluster_body()), "Reason", message)


async def test_an_event_whose_write_hangs_holds_up_no_other() -> None:
    api = EventApi(None)
    async with running(api) as writer:
        for message in ("first", "second", "third"):
            _tell(writer, message)
        assert await api.messages(2) == ["second", "third"]


@pytest.mark.parametrize("failure", [TryAgain("busy", 0.01), Uncertain("cut"), Conflict("it is there")])
async def test_an_event_whose_write_fails_once_is_written_all_the_same(failure: ApiError) -> None:
    api = EventApi(failure)
    async with running(api) as writer:
        _tell(writer, "first")
        assert await api.messages(1) == ["first"]


async def test_an_event_whose_answer_was_lost_is_not_counted_twice() -> None:
    repeated = asyncio.Event()

    class LosesAnswer(EventApi):
        async def create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
            if self.written:
                repeated.set()
            await super().create(kind, body)
            raise Uncertain("no answer")

        async def patch(self, kind: str, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
            raise AssertionError("it was counted twice")

    api = LosesAnswer()
    async with running(api) as writer:
        _tell(writer, "first")
        await asyncio.wait_for(repeated.wait(), 5)
        _tell(writer, "second")
        await api.messages(2)
    assert [body["count"] for body in api.written.values()] == [1, 1]
