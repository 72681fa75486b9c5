"""The autoscaler under load: a process of its own, with an API server and schedulers that are made of air.

Needs no cluster. The schedulers are one small HTTP server on many loopback addresses, a cluster each. For the second
half a tenth of them takes questions and never answers.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from aiohttp import web

from bench import process
from bench.cluster import BenchError, Tree

MANY = 1000
WORKERS = 4
HANGING = 10
"""One in so many schedulers hangs in the second half."""

SETTLE_SECONDS = 8.0
MEASURE_SECONDS = 18.0
START_LIMIT = 60.0

CPU_BAR = 0.5
MEMORY_BAR = 100.0


class Air:
    """The API server: what there is never changes but by the autoscaler's own writes, which it is told of."""

    def __init__(self, port: int) -> None:
        self.objects: dict[str, dict[str, Tree]] = {
            "daskclusters": {name(n): _cluster(n, port) for n in range(MANY)},
            "daskworkergroups": {f"{name(n)}-default": _group(n) for n in range(MANY)},
            "daskautoscalers": {name(n): _scaler(n) for n in range(MANY)},
            "leases": {"dask-operator-autoscaler": {"metadata": {"resourceVersion": "1"}}},
        }
        self._watches: dict[str, list[asyncio.Queue[Tree]]] = {}
        self._version = 1

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a call."""
        parts = request.path.split("/")
        plural = next((part for part in parts if part in self.objects), "")
        if request.method == "PATCH":
            return web.json_response(self._patch(plural, parts, await request.json()))
        if request.method == "POST":
            return web.json_response({})
        if request.query.get("watch"):
            return await self._watch(request, plural)
        if plural == "leases":
            return web.json_response(self.objects[plural][parts[-1]])
        first, held = int(request.query.get("continue") or 0), list(self.objects[plural].values())
        last = first + int(request.query["limit"])
        more = {"continue": str(last)} if last < len(held) else {}
        answer = {"metadata": {"resourceVersion": "1", **more}, "items": held[first:last]}
        return web.json_response(answer)

    def _patch(self, plural: str, parts: list[str], body: Tree) -> Tree:
        held = self.objects[plural][parts[parts.index(plural) + 1]]
        self._version += 1
        held["metadata"]["resourceVersion"] = str(self._version)
        if parts[-1] == "scale":
            held["spec"]["worker"]["replicas"] = body["spec"]["replicas"]
        else:
            held.update({key: body[key] for key in ("spec", "status") if key in body})
        for queue in self._watches.get(plural, ()):
            queue.put_nowait({"type": "MODIFIED", "object": held})
        return held

    async def _watch(self, request: web.BaseRequest, plural: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Tree] = asyncio.Queue()
        self._watches.setdefault(plural, []).append(queue)
        while True:
            await response.write(json.dumps(await queue.get()).encode() + b"\n")


@dataclass
class Schedulers:
    """What all the schedulers know: each has its workers at work, and wants as many."""

    hanging: bool = False
    asked: dict[str, list[float]] = field(default_factory=dict)
    """When each was asked how many workers it wants, by its address."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a question, or never."""
        transport = request.transport
        address = str(transport.get_extra_info("sockname")[0]) if transport is not None else ""
        number = _number(address)
        if request.path.endswith("adaptive_target"):
            self.asked.setdefault(address, []).append(time.monotonic())
            if self.hanging and number % HANGING == 0:
                await asyncio.sleep(3600)
            return web.json_response({"workers": WORKERS})
        workers = [{"name": f"{name(number)}-default-worker-{n:010x}"} for n in range(WORKERS)]
        return web.json_response({"num_workers": WORKERS, "workers": workers})

    def intervals(self, since: float) -> list[float]:
        """Seconds between two questions to the same scheduler, of those that never hang."""
        return [
            after - before
            for address, times in self.asked.items()
            if _number(address) % HANGING
            for before, after in pairwise(times)
            if before >= since
        ]


@dataclass(frozen=True)
class Half:
    """What one half of the measurement showed."""

    cores: float
    mib: float
    usual: float
    longest: float

    def lines(self, what: str) -> Iterator[str]:
        """For people."""
        yield f"{what}: {self.cores:.2f} cores (bar: <= {CPU_BAR}), {self.mib:.0f} MiB (bar: <= {MEMORY_BAR:.0f})"
        yield f"{what}: asked again after {self.usual:.2f} s in the median, {self.longest:.2f} s at most"


def run() -> Iterator[str]:
    """CPU, memory and punctuality for many autoscalers at the usual interval."""
    first, second = asyncio.run(_measured())
    yield f"{MANY} autoscalers at an interval of 5 s, {WORKERS} workers each"
    yield from first.lines("all schedulers answer")
    yield from second.lines(f"one in {HANGING} hangs")


async def _measured() -> tuple[Half, Half]:
    schedulers = Schedulers()
    async with (
        _served(schedulers.answer, "0.0.0.0") as port,
        _served(Air(port).answer, "127.0.0.1") as api,
        _autoscaler(api) as pid,
    ):
        await _all_asked(schedulers)
        first = await _half(schedulers, pid)
        schedulers.hanging = True
        return first, await _half(schedulers, pid)


async def _half(schedulers: Schedulers, pid: int) -> Half:
    await asyncio.sleep(SETTLE_SECONDS)
    began, before = time.monotonic(), process.of(pid)
    await asyncio.sleep(MEASURE_SECONDS)
    after, seconds = process.of(pid), time.monotonic() - began
    intervals = schedulers.intervals(began)
    if not intervals:
        raise BenchError("the autoscaler has asked nobody twice")
    cores = (after.cpu_seconds - before.cpu_seconds) / seconds
    return Half(cores, after.mib, median(intervals), max(intervals))


async def _all_asked(schedulers: Schedulers) -> None:
    deadline = time.monotonic() + START_LIMIT
    while len(schedulers.asked) < MANY:
        if time.monotonic() > deadline:
            raise BenchError(f"{len(schedulers.asked)} of {MANY} schedulers asked in {START_LIMIT:.0f} s")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def _autoscaler(api: int) -> AsyncIterator[int]:
    command = (sys.executable, "-m", "bench.autoscaler_process", f"http://127.0.0.1:{api}", str(_free_port()))
    child = await asyncio.create_subprocess_exec(*command)
    try:
        yield child.pid
    finally:
        child.terminate()
        await asyncio.wait_for(child.wait(), 20)


@asynccontextmanager
async def _served(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], host: str
) -> AsyncIterator[int]:
    """Serve on a free port; gives it."""
    runner = web.ServerRunner(web.Server(answer), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0, backlog=1024)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def name(number: int) -> str:
    """Of a cluster, and of its autoscaler."""
    return f"cluster-{number}"


def _number(address: str) -> int:
    """The cluster behind a loopback address."""
    _, _, third, fourth = map(int, address.split("."))
    return (third - 1) * 250 + fourth - 1


def _meta(called: str) -> Tree:
    return {
        "namespace": "bench",
        "name": called,
        "uid": f"uid-of-{called}",
        "resourceVersion": "1",
        "generation": 1,
    }


def _cluster(number: int, port: int) -> Tree:
    address = f"127.9.{number // 250 + 1}.{number % 250 + 1}"
    status = {
        "dashboardAddress": f"http://{address}:{port}/status",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    return {"metadata": _meta(name(number)), "spec": {}, "status": status}


def _group(number: int) -> Tree:
    spec = {"cluster": name(number), "worker": {"replicas": WORKERS}}
    status = {"workers": {"connected": WORKERS}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": _meta(f"{name(number)}-default"), "spec": spec, "status": status}


def _scaler(number: int) -> Tree:
    spec = {"cluster": name(number), "minimum": 0, "maximum": 10, "interval": 5}
    return {"metadata": _meta(name(number)), "spec": spec}
