"""The sizing table: how fast, with how much CPU and memory, against bare Pods made directly."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles

from bench import population, process, results
from bench.cluster import Tree, kubectl, until
from bench.crowd import (
    Crowd,
    bare,
    cluster,
    create_bare,
    create_clusters,
    crowd,
    side_by_side,
    space_for,
    until_answer,
)
from bench.results import Row
from localcluster import settings
from tests.support.api_server import MERGE, ApiServer

LARGE, MANY, SMALL, MORE, GROUPS = 500, 100, 5, 50, 20
STEPS = 3
"""How often further workers are asked for: it takes half a second, and the median of a few says more than one."""

REFILL_SECONDS = 3.0
"""By default Kubernetes' scheduler makes 100 calls at once and then 50 a second: after 2 s without a Pod it is again as
if there had been none before. What is to be compared has to begin alike."""


@dataclass
class Bench:
    """The API server, and what was measured so far."""

    api: ApiServer
    limits: str

    @property
    def raised(self) -> bool:
        """Whether Kubernetes' own clients are without their default limits."""
        return self.limits == settings.RAISED_LIMITS


def run(*chosen: str) -> Iterator[str]:
    """The rows of the ``chosen`` parts, of all unless some are named, on the cluster as it is, as they are measured.

    The whole table is kept in ``build/bench``, a file for each kind of client limits.
    """
    limits = client_limits()
    yield f"Kubernetes' client limits: {limits}"
    rows: list[Row] = []
    parts = chosen or _parts(limits)
    for part in parts:
        for row in asyncio.run(_measured(PARTS[part], limits)):
            rows.append(row)
            yield str(row)
        if not chosen:
            results.keep(limits, rows, whole=part == parts[-1])


def client_limits() -> str:
    """Those of Kubernetes' own clients in the cluster: default or raised."""
    held = settings.load()
    return held.client_limits if held is not None else settings.DEFAULT_LIMITS


def _parts(limits: str) -> list[str]:
    """What is measured under these client limits: a crowd under one kind only, its costs do not depend on them."""
    return [part for part in PARTS if part != "crowded" or limits == settings.RAISED_LIMITS]


async def _measured(part: "Part", limits: str) -> list[Row]:
    async with ApiServer() as api:
        return await part(Bench(api, limits))


async def _idle(_: Bench) -> list[Row]:
    """Of an operator that has just been started, and has nothing to do."""
    kubectl("rollout", "restart", *population.OPERATOR)
    kubectl("rollout", "status", "--timeout=100s", *population.OPERATOR)
    await asyncio.to_thread(until, "the former operator's end", lambda: len(process.running()) == 1)
    return [Row("memory of the operator, idle", await population.settled_memory(), "MiB", bar="<= 90")]


@asynccontextmanager
async def _measurement(api: ApiServer, name: str) -> AsyncIterator[tuple[str, Crowd]]:
    run = f"bench-{name}-{secrets.token_hex(3)}"
    async with crowd(api, run) as seen, space_for(api, run):
        yield run, seen


async def _floor(api: ApiServer, pattern: Tree, many: int) -> float:
    """Seconds until as many bare Pods are Ready."""
    async with _measurement(api, "bare") as (run, seen):
        await asyncio.sleep(REFILL_SECONDS)
        began = time.monotonic()
        creating = asyncio.create_task(create_bare(api, run, pattern, run, many))
        ended = await seen.all_ready(many)
        await creating
        return ended - began


@dataclass(frozen=True)
class Large:
    """One large cluster, made, scaled up and deleted."""

    took: float
    """Seconds until all of its Pods were Ready."""
    rate: float
    """Pods created a second."""
    more: float
    """Seconds until some further workers were Ready, the median of a few times."""
    cpu: float
    """Milliseconds of the operator's CPU for each worker, from creation to deletion."""
    pattern: Tree
    """One of its Pods."""


@dataclass(frozen=True)
class Many:
    """Many small clusters, made at once and deleted."""

    took: float
    cpu: float
    pattern: Tree
    delays: list[float]
    """Seconds from the answer to each cluster's creation until its scheduler's Pod was there."""


Make = Callable[[str, str, int], Tree]
"""A DaskCluster, of the measurement, the name and the number of workers."""


async def measure_large(
    api: ApiServer,
    make: Make = cluster,
    usage: Callable[[], process.Usage] = process.operator,
    settled: Callable[[str], Awaitable[None]] | None = None,
) -> Large:
    """Measure one; it is scaled up once it has ``settled`` in that namespace."""
    before = usage()
    async with _measurement(api, "large") as (run, seen):
        await asyncio.sleep(REFILL_SECONDS)
        began = time.monotonic()
        await create_clusters(api, run, [make(run, "large", LARGE)])
        ended = await seen.all_ready(LARGE + 1)
        pattern = next(iter(seen.bodies.values()))
        times = sorted(seen.created.values())
        if settled is not None:
            await settled(run)
        sizes = [LARGE + MORE * (step + 1) for step in range(STEPS)]
        more = median([await _scaled(api, run, seen, size) for size in sizes])
        await api.call("DELETE", f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskclusters/large")
        await seen.until("no Pod left", lambda: not seen.created)
    used = usage().cpu_seconds - before.cpu_seconds
    rate = (LARGE - 1) / (times[-1] - times[1])
    return Large(ended - began, rate, more, 1000 * used / sizes[-1], pattern)


async def _scaled(api: ApiServer, run: str, seen: Crowd, workers: int) -> float:
    """Seconds until a large cluster has so many workers, after some rest."""
    await asyncio.sleep(REFILL_SECONDS)
    began = time.monotonic()
    path = f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskworkergroups/large-default"
    await api.call("PATCH", path, {"spec": {"worker": {"replicas": workers}}}, MERGE)
    return await seen.all_ready(workers + 1) - began


async def _one_large(bench: Bench) -> list[Row]:
    api = bench.api
    large = await measure_large(api, settled=lambda run: _settled(api, run, "large", LARGE))
    floor = await _floor(api, large.pattern, LARGE + 1)
    floor_more = median([await _floor(api, large.pattern, MORE) for _ in range(STEPS)])
    bar, rate = ("<= 2 x", ">= 120") if bench.raised else ("<= 1.15 x", "")
    return [
        Row(f"1 cluster of {LARGE} workers to all Ready", large.took, "s", floor, bar),
        Row(f"Pods created a second, 1 cluster of {LARGE}", large.rate, "/s", bar=rate),
        Row(f"{MORE} more workers", large.more, "s", floor_more, "<= 1.5 x"),
        Row("CPU per worker, 1 large cluster", large.cpu, "ms", bar="<= 9"),
    ]


async def _settled(api: ApiServer, space: str, name: str, workers: int) -> None:
    """Wait until the statuses of a cluster and its default group say that all of its workers are Ready."""
    base = f"/apis/kubernetes.dask.org/v1/namespaces/{space}"
    group, whole = f"{base}/daskworkergroups/{name}-default", f"{base}/daskclusters/{name}"
    await until_answer(api, group, lambda answer: _ready(answer) == workers)
    await until_answer(api, whole, lambda answer: _ready(answer) == workers)


def _ready(answer: Tree) -> int:
    return int(answer.get("status", {}).get("workers", {}).get("ready", 0))


async def measure_many(
    api: ApiServer, make: Make = cluster, usage: Callable[[], process.Usage] = process.operator
) -> Many:
    """Measure them."""
    before = usage()
    async with _measurement(api, "many") as (run, seen):
        await asyncio.sleep(REFILL_SECONDS)
        posted: dict[str, float] = {}
        began = time.monotonic()

        async def post(name: str) -> None:
            await create_clusters(api, run, [make(run, name, SMALL)])
            posted[name] = time.monotonic()

        posting = asyncio.create_task(side_by_side(post(f"small-{n}") for n in range(MANY)))
        ended = await seen.all_ready(MANY * (SMALL + 1))
        await posting
        pattern = next(iter(seen.bodies.values()))
        delays = [
            max(0.0, at - posted[name.removesuffix("-scheduler")])
            for uid, at in seen.created.items()
            if (name := seen.bodies[uid]["metadata"]["name"]).endswith("-scheduler")
        ]
        await api.call("DELETE", f"/apis/kubernetes.dask.org/v1/namespaces/{run}/daskclusters")
        await seen.until("no Pod left", lambda: not seen.created)
    used = usage().cpu_seconds - before.cpu_seconds
    return Many(ended - began, 1000 * used / (MANY * SMALL), pattern, delays)


async def _floor_of_delays(api: ApiServer, pattern: Tree) -> list[float]:
    """Seconds from the answer to each cluster's creation until a Pod like ``pattern`` was there.

    It is made by the very client that made the cluster, as soon as that was answered, and nobody else does anything.
    """
    async with population.without_operator(), _measurement(api, "bare") as (run, seen):
        posted: dict[str, float] = {}

        async def post(name: str) -> None:
            await create_clusters(api, run, [cluster(run, name, SMALL)])
            posted[name] = time.monotonic()
            await api.call("POST", f"/api/v1/namespaces/{run}/pods", bare(pattern, run, name))

        await side_by_side(post(f"small-{n}") for n in range(MANY))
        await seen.until("their Pods", lambda: len(seen.created) == MANY)
        return [at - posted[seen.bodies[uid]["metadata"]["name"]] for uid, at in seen.created.items()]


async def _many_small(bench: Bench) -> list[Row]:
    many = await measure_many(bench.api)
    floor = await _floor(bench.api, many.pattern, MANY * (SMALL + 1))
    delays = await _floor_of_delays(bench.api, many.pattern)
    bar = "<= 3 x" if bench.raised else "<= 1.3 x"
    return [
        Row(f"{MANY} clusters of {SMALL} workers to all Ready", many.took, "s", floor, bar),
        Row("CPU per worker, small clusters", many.cpu, "ms", bar="<= 15"),
        Row("custom resource to scheduler Pod, median", median(many.delays), "s", median(delays), "<= 0.2 s"),
        Row("custom resource to scheduler Pod, p99", _p99(many.delays), "s", _p99(delays), "<= 2 s"),
    ]


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


async def _small_after_large(bench: Bench) -> list[Row]:
    """A small cluster that is made while the operator has begun with a large one, of one group or of many."""
    large = await _delay_beside(bench.api, lambda run: cluster(run, "large", LARGE))
    groups = await _delay_beside(bench.api, _of_many_groups)
    made = "a small cluster just after a large one: its Pods created"
    return [
        Row(made, large, "s", bar="<= 1"),
        Row(f"{made}, {GROUPS} groups", groups, "s", bar="<= 1"),
    ]


def _of_many_groups(run: str) -> Tree:
    """As many workers as a large cluster has, in groups of its spec."""
    body = cluster(run, "large", 0)
    worker = {**body["spec"]["worker"], "replicas": LARGE // GROUPS}
    body["spec"]["workerGroups"] = [{"name": f"more-{n}", "worker": worker} for n in range(GROUPS)]
    return body


async def _delay_beside(api: ApiServer, large: Callable[[str], Tree]) -> float:
    """Seconds from a small cluster's creation until all its Pods are there, while those of a large one are made."""
    async with _measurement(api, "fair") as (run, seen):
        other = f"{run}-small"
        async with crowd(api, other) as small:
            await create_clusters(api, run, [large(run)])
            await seen.until("the first workers", lambda: len(seen.created) > 20)
            began = time.monotonic()
            await create_clusters(api, run, [cluster(other, "small", 2)])
            created = await small.until("the small one's Pods", lambda: len(small.created) == 3) - began
            await seen.all_ready(LARGE + 1)
            await small.all_ready(3)
    return created


async def _crowded(bench: Bench) -> list[Row]:
    """Five hundred clusters at a time."""
    api, run = bench.api, f"bench-crowded-{secrets.token_hex(3)}"
    async with population.population(api, run) as seen:
        memory = await population.settled_memory()
        before, began = process.operator(), time.monotonic()
        await asyncio.sleep(population.SETTLING_SECONDS)
        cpu = (process.operator().cpu_seconds - before.cpu_seconds) / (time.monotonic() - began)
        start = await population.start_seconds(api, run, seen)
    many = f"{population.CLUSTERS} clusters of {population.WORKERS} workers"
    return [
        Row(f"memory of the operator, {many}", memory, "MiB", bar="<= 180"),
        Row(f"CPU of the operator while nothing happens, {many}", 1000 * cpu, "ms/s"),
        Row(f"start of the operator to its first reconcile, {many}", start, "s", bar="<= 10"),
    ]


Part = Callable[[Bench], Awaitable[list[Row]]]

PARTS: dict[str, Part] = {
    "idle": _idle,
    "large": _one_large,
    "many": _many_small,
    "fair": _small_after_large,
    "crowded": _crowded,
}
