"""The operator of dask-kubernetes as it was released, a black box in place of ours: the same measures for both."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator

from bench import population, process
from bench.cluster import Tree
from bench.crowd import RUN, create_clusters, crowd, space_for
from bench.sizing import LARGE, MANY, MORE, SMALL, Row, client_limits, keep
from tests.support.api_server import MERGE, ApiServer
from tests.support.dask import dask_cluster, fake_worker_pods
from tests.support.releases import incumbent_release, instead_of_the_release, namespaces

COMMAND = b"dask_kubernetes.operator.controller"


def run() -> Iterator[str]:
    """Its rows, as they are measured; kept in ``build/bench`` for the table. Ours is back at the end."""
    limits = client_limits()
    yield f"Kubernetes' client limits: {limits}"
    rows = []
    place = f"bench-theirs-{secrets.token_hex(3)}"
    with instead_of_the_release(), namespaces(place), incumbent_release(place), asyncio.Runner() as runner:
        measured = _measured()
        while (row := runner.run(_next(measured))) is not None:
            rows.append(row)
            yield str(row)
            keep(f"incumbent-{limits}", rows)


async def _next(rows: AsyncIterator[Row]) -> Row | None:
    return await anext(rows, None)


async def _measured() -> AsyncIterator[Row]:
    yield Row("memory of the operator, idle", await population.settled_memory(_usage), "MiB")
    for part in (_one_large, _many_small):
        async with ApiServer() as api:
            rows = await part(api)
        for row in rows:
            yield row


async def _one_large(api: ApiServer) -> list[Row]:
    run, before = f"bench-large-{secrets.token_hex(3)}", _usage()
    async with crowd(api, run) as seen, space_for(api, run):
        began = time.monotonic()
        await create_clusters(api, run, [_cluster(run, "large", LARGE)])
        took = await seen.all_ready(LARGE + 1) - began
        times = sorted(seen.created.values())
        rate = (LARGE - 1) / (times[-1] - times[1])
        began = time.monotonic()
        path = f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskworkergroups/large-default"
        await api.call("PATCH", path, {"spec": {"worker": {"replicas": LARGE + MORE}}}, MERGE)
        more = await seen.all_ready(LARGE + 1 + MORE) - began
        await api.call("DELETE", f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskclusters/large")
        await seen.until("no Pod left", lambda: not seen.created)
    used = _usage().cpu_seconds - before.cpu_seconds
    return [
        Row(f"1 cluster of {LARGE} workers to all Ready", took, "s"),
        Row(f"Pods created a second, 1 cluster of {LARGE}", rate, "/s"),
        Row(f"{MORE} more workers", more, "s"),
        Row("CPU per worker, 1 large cluster", 1000 * used / (LARGE + MORE), "ms"),
    ]


async def _many_small(api: ApiServer) -> list[Row]:
    run, before = f"bench-many-{secrets.token_hex(3)}", _usage()
    async with crowd(api, run) as seen, space_for(api, run):
        began = time.monotonic()
        await create_clusters(api, run, [_cluster(run, f"small-{n}", SMALL) for n in range(MANY)])
        took = await seen.all_ready(MANY * (SMALL + 1)) - began
        await api.call("DELETE", f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskclusters")
        await seen.until("no Pod left", lambda: not seen.created)
    used = _usage().cpu_seconds - before.cpu_seconds
    return [
        Row(f"{MANY} clusters of {SMALL} workers to all Ready", took, "s"),
        Row("CPU per worker, small clusters", 1000 * used / (MANY * SMALL), "ms"),
    ]


def _usage() -> process.Usage:
    return process.only(COMMAND)


def _cluster(run: str, name: str, workers: int) -> Tree:
    """A cluster on fake nodes with every field written out, which that operator needs."""
    container: Tree = {"name": "scheduler", "image": "localhost/dask:dev", "args": ["dask", "scheduler"]}
    ports = [{"name": "tcp-comm", "containerPort": 8786}, {"name": "http-dashboard", "containerPort": 8787}]
    selector = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    services = [{"name": p["name"], "port": p["containerPort"], "targetPort": p["name"]} for p in ports]
    worker = {**container, "name": "worker", "args": ["dask", "worker"]}
    return dask_cluster(
        name,
        workers,
        metadata={"labels": {RUN: run}},
        worker={"spec": {**fake_worker_pods(), "containers": [worker]}},
        scheduler={
            "spec": {**fake_worker_pods(), "containers": [{**container, "ports": ports}]},
            "service": {"type": "ClusterIP", "selector": selector, "ports": services},
        },
    )
