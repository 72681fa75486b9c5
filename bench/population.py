"""Five thousand workers in five hundred clusters on fake nodes: a namespace full of them, and what they cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from bench import process
from bench.cluster import BenchError, kubectl, until
from bench.crowd import LIMIT, Crowd, cluster, create_clusters, crowd, side_by_side, space_for
from localcluster import fakenodes, settings
from tests.support.api_server import ApiServer

CLUSTERS = 500
WORKERS = 10
NODES = 12
"""Fake nodes that have room for all: 500 Pods fit on one."""

SETTLING_SECONDS = 20.0
GROWTH_MIB = 1.0
"""More than that is a program that still starts, or works."""
OPERATOR = ("-n", "dask-operator", "deployment/dask-operator")


@contextmanager
def enough_nodes() -> Iterator[None]:
    """More fake nodes than the local cluster has; at the end those there were.

    Raises:
        BenchError: it is not the local cluster.
    """
    held = settings.load()
    if held is None:
        raise BenchError("fake nodes are needed: this runs on the local cluster only")
    fakenodes.ensure(held.changed(None, max(NODES, held.fake_nodes)))
    try:
        yield
    finally:
        fakenodes.ensure(held)


def name(number: int) -> str:
    """A cluster of the population."""
    return f"one-{number}"


@asynccontextmanager
async def population(api: ApiServer, run: str) -> AsyncIterator[Crowd]:
    """All clusters with all their Pods Ready, in the namespace ``run``; gone at the end."""
    with enough_nodes():
        async with crowd(api, run) as seen, space_for(api, run):
            await create_clusters(api, run, [cluster(run, name(n), WORKERS) for n in range(CLUSTERS)])
            await seen.all_ready(CLUSTERS * (WORKERS + 1))
            try:
                yield seen
            finally:
                await _delete_all(api, run)
                await seen.until("no Pod left", lambda: not seen.created)


async def _delete_all(api: ApiServer, run: str) -> None:
    """Delete the clusters, many at a time: the API server would take those of a namespace one after the other."""
    path = f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskclusters"
    listed = (await api.call("GET", path))["items"]
    await side_by_side(api.call("DELETE", f"{path}/{item['metadata']['name']}") for item in listed)


async def settled_memory(usage: Callable[[], process.Usage] = process.operator) -> float:
    """MiB of an operator's memory, the most that was seen until it had stayed the same for a while."""
    deadline, most = time.monotonic() + SETTLING_SECONDS, 0.0
    while time.monotonic() < deadline:
        mib = usage().mib
        if mib > most + GROWTH_MIB:
            deadline = time.monotonic() + SETTLING_SECONDS
        most = max(most, mib)
        await asyncio.sleep(1)
    return most


async def no_operator() -> None:
    """Stop the operator, and wait for its end."""
    kubectl("scale", *OPERATOR, "--replicas=0")
    await asyncio.to_thread(until, "no operator", lambda: not process.running(), LIMIT)


@asynccontextmanager
async def without_operator() -> AsyncIterator[None]:
    """No operator for a while; at the end one that is ready."""
    await no_operator()
    try:
        yield
    finally:
        kubectl("scale", *OPERATOR, "--replicas=1")
        kubectl("rollout", "status", "--timeout=100s", *OPERATOR)


async def start_seconds(api: ApiServer, run: str, seen: Crowd) -> float:
    """Seconds from the operator's start until a cluster, created while there was no operator, has its scheduler Pod."""
    await no_operator()
    await create_clusters(api, run, [cluster(run, "waits", 1)])
    kubectl("scale", *OPERATOR, "--replicas=1")
    await asyncio.to_thread(until, "an operator", process.running, LIMIT)
    began = time.monotonic()
    made = await seen.until("the scheduler of the cluster that waits", lambda: _has(seen, "waits-scheduler"))
    return made - began


def _has(seen: Crowd, pod: str) -> bool:
    return any(body["metadata"]["name"] == pod for body in seen.bodies.values())
