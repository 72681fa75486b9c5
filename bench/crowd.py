"""Many Pods at a time, made by the operator or by hand, and when each of them was created and Ready."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bench.cluster import BenchError, Tree
from tests.support.api_server import ApiServer
from tests.support.dask import dask_cluster, fake_worker_pods

RUN = "bench-run"
"""Label of all Pods of one measurement: its value is the measurement's."""

AT_ONCE = 32
"""Objects that the benchmark itself creates side by side."""

LIMIT = 600.0


@dataclass
class Crowd:
    """What a watch tells of the Pods of one measurement. Times are monotonic seconds."""

    created: dict[str, float] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)
    bodies: dict[str, Tree] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def saw(self, event: str, body: Tree) -> None:
        """Take an event of the watch."""
        now, uid = time.monotonic(), body["metadata"]["uid"]
        if event == "DELETED":
            for kept in (self.created, self.ready, self.bodies):
                kept.pop(uid, None)
        else:
            self.created.setdefault(uid, now)
            self.bodies[uid] = body
            conditions = body.get("status", {}).get("conditions", [])
            if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
                self.ready.setdefault(uid, now)
        self._news.set()

    async def until(self, what: str, true: Callable[[], bool], seconds: float = LIMIT) -> float:
        """Wait; gives the moment.

        Raises:
            BenchError: not within ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            numbers = f"{len(self.created)} Pods, {len(self.ready)} Ready"
            raise BenchError(f"not within {seconds:.0f} s: {what}; {numbers}") from None
        return time.monotonic()

    async def all_ready(self, many: int) -> float:
        """Wait for so many Ready Pods; gives the moment."""
        return await self.until(f"{many} Ready Pods", lambda: len(self.ready) == many)


@asynccontextmanager
async def crowd(api: ApiServer, run: str) -> AsyncIterator[Crowd]:
    """Follow the Pods of a measurement, in all namespaces."""
    seen, listed = Crowd(), asyncio.Event()
    following = asyncio.create_task(api.follow("/api/v1/pods", f"{RUN}={run}", seen.saw, listed))
    try:
        await listed.wait()
        yield seen
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def side_by_side(work: Iterable[Awaitable[object]]) -> None:
    """Await all, a few at a time."""
    lanes = asyncio.Semaphore(AT_ONCE)

    async def one(item: Awaitable[object]) -> None:
        async with lanes:
            await item

    await asyncio.gather(*(one(item) for item in work))


def cluster(run: str, name: str, workers: int) -> Tree:
    """A DaskCluster on fake nodes, where no scheduler answers. Its Pods belong to a measurement."""
    mine = {"labels": {RUN: run}}
    worker = {"metadata": mine, "spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
    scheduler = {"metadata": mine, "spec": fake_worker_pods()}
    return dask_cluster(name, workers, worker=worker, scheduler=scheduler)


async def create_clusters(api: ApiServer, space: str, bodies: Iterable[Tree]) -> None:
    """Create DaskClusters."""
    path = f"/apis/kubernetes.dask.org/v1/namespaces/{space}/daskclusters"
    await side_by_side(api.call("POST", path, body) for body in bodies)


def bare(pattern: Tree, run: str, name: str) -> Tree:
    """A Pod that nobody owns, otherwise like ``pattern``, which the API server has completed."""
    spec = copy.deepcopy(pattern["spec"])
    for key in ("nodeName", "serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"):
        spec.pop(key, None)
    spec["volumes"] = [v for v in spec.get("volumes", []) if not v["name"].startswith("kube-api-access")]
    for container in spec["containers"]:
        mounts = container.get("volumeMounts", [])
        container["volumeMounts"] = [m for m in mounts if not m["name"].startswith("kube-api-access")]
    metadata = {"name": name, "labels": {RUN: run, "app": "bare"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def create_bare(api: ApiServer, space: str, pattern: Tree, run: str, many: int) -> None:
    """Create Pods like ``pattern`` that nobody owns."""
    path = f"/api/v1/namespaces/{space}/pods"
    await side_by_side(api.call("POST", path, bare(pattern, run, f"bare-{n}")) for n in range(many))


@asynccontextmanager
async def space_for(api: ApiServer, run: str) -> AsyncIterator[str]:
    """A namespace for a measurement; its end, with all that is in it, is waited for."""
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": run}})
    account = f"/api/v1/namespaces/{run}/serviceaccounts?fieldSelector=metadata.name=default"
    try:
        await until_answer(api, account, lambda answer: bool(answer["items"]))
        yield run
    finally:
        await api.call("DELETE", f"/api/v1/namespaces/{run}")
        spaces = f"/api/v1/namespaces?fieldSelector=metadata.name={run}"
        await until_answer(api, spaces, lambda answer: not answer["items"])


async def until_answer(api: ApiServer, path: str, true: Callable[[Tree], bool]) -> None:
    """Ask again and again until the answer is what is waited for.

    Raises:
        BenchError: it has not become that.
    """
    deadline = time.monotonic() + LIMIT
    while not true(await api.call("GET", path)):
        if time.monotonic() > deadline:
            raise BenchError(f"not within {LIMIT:.0f} s: {path}")
        await asyncio.sleep(0.2)
