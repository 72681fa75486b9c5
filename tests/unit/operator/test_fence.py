"""The fence around writes: with a real HTTP server, so that what counts is what arrives there."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from dask_operator.api_server import transport
from dask_operator.api_server.transport import NotSent
from dask_operator_api.fence import Fence


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Server:
    """An HTTP server that remembers what arrived."""

    url: str = ""
    arrived: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    held = Server()

    async def answer(request: web.Request) -> web.Response:
        held.arrived.append((request.method, await request.text()))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    held.url = str(site.name).replace("127.0.0.1:0", f"127.0.0.1:{runner.addresses[0][1]}")
    yield held
    await runner.cleanup()


def session(fence: Fence) -> aiohttp.ClientSession:
    return transport.session(fence, "http://127.0.0.1", ssl.create_default_context(), 4)


def test_a_fence_is_closed_at_first_and_after_its_time() -> None:
    clock = Clock()
    fence = Fence(clock)
    assert fence.left() == 0
    fence.open_until(103.0)
    assert fence.left() == 3.0
    clock.now = 103.0
    assert fence.left() == 0


def test_a_fence_that_was_shut_stays_so() -> None:
    fence = Fence(Clock())
    fence.shut()
    fence.open_until(1000.0)
    assert fence.left() == 0


async def test_writes_arrive_while_the_fence_is_open(server: Server) -> None:
    fence = Fence(Clock())
    fence.open_until(200.0)
    async with session(fence) as http:
        for method in ("POST", "PATCH", "DELETE"):
            async with http.request(method, server.url, data=f"{method}!") as response:
                assert response.status == 200
    assert server.arrived == [("POST", "POST!"), ("PATCH", "PATCH!"), ("DELETE", "DELETE!")]


@pytest.mark.parametrize("body", ["text", None])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_write_arrives_when_the_fence_is_closed(
    server: Server, method: str, body: str | None
) -> None:
    async with session(Fence(Clock())) as http:
        with pytest.raises(NotSent):
            await http.request(method, server.url, data=body)
        async with http.get(server.url) as response:
            assert response.status == 200
    assert server.arrived == [("GET", "")]


async def test_a_write_that_waited_for_its_connection_while_the_fence_closed_does_not_arrive(
    server: Server,
) -> None:
    clock = Clock()
    fence = Fence(clock)
    fence.open_until(200.0)
    async with transport.session(fence, "http://127.0.0.1", ssl.create_default_context(), 1) as http:
        first = await http.get(server.url)  # has the only connection until it is read
        waiting = asyncio.create_task(http.post(server.url, data="late"))
        await asyncio.sleep(0)
        clock.now = 200.0
        await first.read()
        first.release()
        with pytest.raises(NotSent):
            await waiting
    assert server.arrived == [("GET", "")]


async def test_a_fence_that_closes_between_head_and_body_keeps_both_in(server: Server) -> None:
    asked: list[float] = []

    class Once(Fence):
        """Open for the first question only."""

        def left(self) -> float:
            asked.append(1.0 - len(asked))
            return asked[-1]

    async with session(Once()) as http:
        with pytest.raises(NotSent):
            await http.post(server.url, data="text")
    assert len(asked) >= 2
    assert server.arrived == []
