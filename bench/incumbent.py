"""The operator of dask-kubernetes as it was released, a black box in place of ours: the same measures for both."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

from bench import population, process, results
from bench.cluster import Tree
from bench.crowd import RUN
from bench.results import Row
from bench.sizing import LARGE, MANY, MORE, SMALL, client_limits, measure_large, measure_many
from tests.support.api_server import ApiServer
from tests.support.dask import dask_cluster, fake_worker_pods, scheduler_spelt_out
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
            results.keep(f"incumbent-{limits}", rows, whole=False)
    results.keep(f"incumbent-{limits}", rows, whole=True)


async def _next(rows: AsyncIterator[Row]) -> Row | None:
    return await anext(rows, None)


async def _measured() -> AsyncIterator[Row]:
    yield Row("memory of the operator, idle", await population.settled_memory(_usage), "MiB")
    async with ApiServer() as api:
        large = await measure_large(api, _cluster, _usage)
        yield Row(f"1 cluster of {LARGE} workers to all Ready", large.took, "s")
        yield Row(f"Pods created a second, 1 cluster of {LARGE}", large.rate, "/s")
        yield Row(f"{MORE} more workers", large.more, "s")
        yield Row("CPU per worker, 1 large cluster", large.cpu, "ms")
        many = await measure_many(api, _cluster, _usage)
        yield Row(f"{MANY} clusters of {SMALL} workers to all Ready", many.took, "s")
        yield Row("CPU per worker, small clusters", many.cpu, "ms")


def _usage() -> process.Usage:
    return process.only(COMMAND)


def _cluster(run: str, name: str, workers: int) -> Tree:
    """A cluster on fake nodes with every field written out, which that operator needs."""
    container: Tree = {"name": "scheduler", "image": "localhost/dask:dev", "args": ["dask", "scheduler"]}
    worker = {**container, "name": "worker", "args": ["dask", "worker"]}
    return dask_cluster(
        name,
        workers,
        metadata={"labels": {RUN: run}},
        worker={"spec": {**fake_worker_pods(), "containers": [worker]}},
        scheduler=scheduler_spelt_out(name, container, **fake_worker_pods()),
    )
