"""A proxy between the operator and the API server that knows every call, and breaks those it is told to.

Plain HTTP on the loopback side, so that a kubeconfig with a token is all that a client needs; each client's own token
is passed on. Every call is counted within its namespace, so that a run without faults tells what there is to break.
"""

import asyncio
import json
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from .api_calls import Call, Point, identify
from .api_server import at_once, connection
from .background import Background, background
from .faults import Fault, gone, refusal

logger = logging.getLogger(__name__)

HANG_SECONDS = 20.0
"""A call that is never answered is cut after this long; clients give up earlier."""

_NOT_PASSED_ON = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}


@dataclass
class Lane:
    """What is known of one namespace's calls."""

    counts: Counter[Point] = field(default_factory=Counter)
    calls: list[Point] = field(default_factory=list)
    """Every call, numbered, in the order of arrival."""
    broken: tuple[Point, Fault] | None = None
    """What to break."""
    met: bool = False
    """Whether that call came."""
    roles: dict[str, str] = field(default_factory=dict)
    """Name of an Event → its role: when it is patched, only its name is told."""


@dataclass
class Watch:
    """An open watch."""

    resource: str
    response: web.StreamResponse
    request: web.BaseRequest
    silent: bool = False
    cut_next: bool = False


@dataclass(frozen=True)
class Interruption:
    """Call ``act`` at the ``at``-th namespaced call from the beginning, and leave that call without an answer."""

    at: int
    before: bool
    """Whether before the API server gets the call, or after it has answered."""
    act: Callable[[], None]


class FaultProxy:
    """Make it with :func:`fault_proxy`; its public methods may be called from any thread."""

    def __init__(self, side: Background) -> None:
        self.port = 0
        self.seen = 0
        """How many namespaced calls came."""
        self.largest_chunk: int | None = None
        """Lists are given in chunks of at most this many items, where the client asks for chunks at all."""
        self._side = side
        self._lanes: dict[str, Lane] = defaultdict(Lane)
        self._interruption: Interruption | None = None
        self._watches: list[Watch] = []
        self._bad_lists: dict[str, list[int]] = defaultdict(list)
        """Resource → HTTP statuses of the next lists; 410 waits for one with a continue token."""
        self._base = ""
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None

    # -- what tests tell it

    def break_call(self, namespace: str, point: Point, fault: Fault) -> None:
        """Break one call of a namespace, when it comes."""
        self._lanes[namespace].broken = (point, fault)

    def lane(self, namespace: str) -> Lane:
        """What came from a namespace so far."""
        return self._lanes[namespace]

    def interrupt(self, at: int, before: bool, act: Callable[[], None]) -> None:
        """Call ``act`` (in a thread) when as many namespaced calls as ``at`` have come in all."""
        self._interruption = Interruption(at, before, act)

    def silence_watches(self, resource: str) -> int:
        """The open watches of a resource stay open and tell nothing more; gives how many there are."""
        return self._on_watches(resource, _silence)

    def cut_watches(self, resource: str) -> int:
        """The open watches of a resource break off in the middle of the next line."""
        return self._on_watches(resource, _cut_next)

    def end_watches(self, resource: str) -> int:
        """The open watches of a resource end with the news that their resourceVersion is too old."""

        async def end() -> int:
            watches = self._of(resource)
            for watch in watches:
                await _end_gone(watch)
            return len(watches)

        return self._side.run(end())

    def refuse_list(self, resource: str, status: int) -> None:
        """Answer the next list of a resource with this status; 410 the next one with a continue token."""
        self._bad_lists[resource].append(status)

    def refusals_left(self) -> int:
        """How many lists are still to be refused."""
        return sum(len(statuses) for statuses in self._bad_lists.values())

    def _on_watches(self, resource: str, change: Callable[[Watch], None]) -> int:
        async def changed() -> int:
            watches = self._of(resource)
            for watch in watches:
                change(watch)
            return len(watches)

        return self._side.run(changed())

    def _of(self, resource: str) -> list[Watch]:
        return [watch for watch in self._watches if watch.resource == resource and not watch.silent]

    # -- its life

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._base, trust, _ = await connection()
        connector = aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        server = web.Server(self._answer, handler_cancellation=True)
        self._runner = web.ServerRunner(server, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close everything."""
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    # -- calls

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        call = identify(request.method, request.raw_path, body)
        if call is None:
            return await self._forward(request, body)
        if not call.namespace:
            return await self._for_the_cluster(request, body, call)
        self.seen += 1
        fault = self._count(call)
        interruption = self._interruption
        if interruption is not None and self.seen >= interruption.at:
            self._interruption = None
            return await self._interrupted(request, body, interruption)
        if fault is None:
            return await self._forward(request, body)
        return await self._broken(request, body, call, fault)

    def _count(self, call: Call) -> Fault | None:
        """Record a call; gives the fault that it is to have."""
        lane = self._lanes[call.namespace]
        point = call.point
        if point.resource == "events":
            role = lane.roles.setdefault(call.name, point.role)
            point = Point(point.verb, point.resource, role)
        lane.counts[point] += 1
        numbered = point.numbered(lane.counts[point])
        lane.calls.append(numbered)
        if lane.broken is None or lane.broken[0] != numbered:
            return None
        lane.met = True
        return lane.broken[1]

    async def _broken(
        self, request: web.BaseRequest, body: bytes, call: Call, fault: Fault
    ) -> web.StreamResponse:
        if fault.is_carried_out:
            await self._forward(request, body)
        if fault is Fault.TIMEOUT:
            await asyncio.sleep(HANG_SECONDS)  # ends when the client gives up: then this handler is cancelled
        if fault in (Fault.TIMEOUT, Fault.CUT_BEFORE, Fault.CUT_AFTER):
            return _cut(request)
        status, headers, text = refusal(call, fault)
        return web.Response(status=status, headers=headers, body=text)

    async def _interrupted(
        self, request: web.BaseRequest, body: bytes, interruption: Interruption
    ) -> web.StreamResponse:
        try:
            if not interruption.before:
                await self._forward(request, body)
        finally:
            # Whatever becomes of the call. The client ends by this, which cancels this handler: it is seen through.
            await asyncio.shield(asyncio.to_thread(interruption.act))
        return _cut(request)

    async def _forward(self, request: web.BaseRequest, body: bytes, path: str = "") -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED_ON}
        async with self._open(request.method, path or request.raw_path, body, headers) as answer:
            text = await answer.read()
            return web.Response(status=answer.status, headers=_headers(answer), body=text)

    def _open(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> "aiohttp.client._RequestContextManager":
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        url = URL(self._base + path, encoded=True)
        return self._session.request(
            method, url, data=body or None, headers=headers, timeout=timeout, read_bufsize=2**22
        )

    # -- lists and watches of the whole cluster

    async def _for_the_cluster(self, request: web.BaseRequest, body: bytes, call: Call) -> web.StreamResponse:
        self._lanes[""].calls.append(call.point)
        if call.point.verb == "watch":
            return await self._stream(request, call)
        if call.point.verb == "list":
            return await self._list(request, call)
        return await self._forward(request, body)

    async def _list(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        split = urlsplit(request.raw_path)
        query = dict(parse_qsl(split.query))
        bad = self._bad_lists[call.point.resource]
        if bad and (bad[0] != 410 or "continue" in query):
            status = bad.pop(0)
            if status == 410:
                return web.json_response(gone(), status=410)
            code, headers, text = refusal(call, Fault.SERVER_ERROR)
            return web.Response(status=code, headers=headers, body=text)
        if "limit" in query and self.largest_chunk:
            query["limit"] = str(min(int(query["limit"]), self.largest_chunk))
            return await self._forward(request, b"", f"{split.path}?{urlencode(query)}")
        return await self._forward(request, b"")

    async def _stream(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED_ON}
        async with self._open("GET", request.raw_path, b"", headers) as answer:
            if answer.status != 200:
                text = await answer.read()
                return web.Response(status=answer.status, headers=_headers(answer), body=text)
            response = web.StreamResponse(headers=_headers(answer))
            response.enable_chunked_encoding()
            await response.prepare(request)
            watch = Watch(call.point.resource, response, request)
            self._watches.append(watch)
            try:
                with (
                    at_once(answer),
                    suppress(ConnectionResetError),
                ):  # a client that was killed says no farewell
                    await _pump(answer, watch)
            finally:
                self._watches.remove(watch)
            return response


async def _pump(answer: aiohttp.ClientResponse, watch: Watch) -> None:
    """Pass lines on until either side ends."""
    async for line in answer.content:
        if watch.silent:
            continue
        if watch.cut_next:
            await watch.response.write(line[: len(line) // 2])
            _cut(watch.request)
            return
        await watch.response.write(line)
    if watch.silent:
        await asyncio.Event().wait()  # nobody tells the client that it is over: it must find out


def _silence(watch: Watch) -> None:
    watch.silent = True


def _cut_next(watch: Watch) -> None:
    watch.cut_next = True


async def _end_gone(watch: Watch) -> None:
    watch.silent = True
    event = {"type": "ERROR", "object": {**gone(), "message": "too old resource version: 1 (2)"}}
    await watch.response.write(json.dumps(event).encode() + b"\n")
    await watch.response.write_eof()
    _cut(watch.request)


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {
        key: value
        for key, value in answer.headers.items()
        if key.lower() in ("content-type", "retry-after", "content-encoding", "audit-id", "warning")
    }


@contextmanager
def fault_proxy() -> Iterator[FaultProxy]:
    """A proxy to the API server of the tests' kubeconfig."""
    with background(f"fault proxy {secrets.token_hex(2)}") as side:
        proxy = side.run(_made(side))
        side.run(proxy.start())
        try:
            yield proxy
        finally:
            side.run(proxy.stop())


async def _made(side: Background) -> FaultProxy:
    return FaultProxy(side)
