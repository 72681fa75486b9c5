"""A small API server on loopback: lists, watches and takes patches of the custom resources."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from dask_operator_autoscaler.connection import Connection


class StubApi:
    """What it holds, and what was asked of it."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[tuple[str, str, Any]] = []
        self.refusal = 0
        """HTTP status given to every write instead of success."""
        self.answering = asyncio.Event()
        """Cleared, writes are not answered."""
        self.answering.set()
        self.lists = 0
        self.lost: dict[str, int] = {}
        """HTTP statuses given, by namespace, to every listing instead of success; by the empty name for all."""
        self._watches: dict[str, list[asyncio.Queue[bytes | None]]] = {}

    def send(self, plural: str, kind: str, body: dict[str, Any]) -> None:
        """Tell all watches of ``plural`` of a change."""
        for queue in self._watches.get(plural, ()):
            queue.put_nowait(json.dumps({"type": kind, "object": body}).encode() + b"\n")

    def end_watches(self) -> None:
        """End all watches, as the server does after some minutes."""
        for queues in self._watches.values():
            for queue in queues:
                queue.put_nowait(None)

    def watching(self) -> int:
        """How many watches are open."""
        return sum(len(queues) for queues in self._watches.values())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call."""
        body = await request.json() if request.can_read_body else None
        self.calls.append((request.method, request.path_qs, body))
        if request.method != "GET":
            await self.answering.wait()
            words = {"message": "in its own words"} if self.refusal else {}
            return web.json_response(words, status=self.refusal or 200)
        plural = request.path.rpartition("/")[2]
        if request.query.get("watch"):
            return await self._watch(request, plural)
        return self._list(request, plural)

    def _list(self, request: web.Request, plural: str) -> web.Response:
        self.lists += 1
        space = request.path.partition("/namespaces/")[2].partition("/")[0]
        if space in self.lost:
            return web.json_response({"message": "in its own words"}, status=self.lost[space])
        held = [body for body in self.objects.get(plural, []) if space in ("", body["metadata"]["namespace"])]
        first = int(request.query.get("continue") or 0)
        last = first + int(request.query.get("limit") or 1)
        more = {"continue": str(last)} if last < len(held) else {}
        return web.json_response({"metadata": {"resourceVersion": "7", **more}, "items": held[first:last]})

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watches.setdefault(plural, []).append(queue)
        try:
            while (line := await queue.get()) is not None:
                half = len(line) // 2
                await response.write(line[:half])
                await asyncio.sleep(0)
                await response.write(line[half:])
        finally:
            self._watches[plural].remove(queue)
        return response


@asynccontextmanager
async def stub_api() -> AsyncIterator[tuple[StubApi, Connection]]:
    """The server, and how to reach it."""
    api = StubApi()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield api, Connection(f"http://127.0.0.1:{port}", None, lambda: {"Authorization": "Bearer me"})
    finally:
        api.end_watches()
        api.answering.set()
        await runner.cleanup()
