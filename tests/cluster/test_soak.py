"""Ten minutes of everything at once with thousands of workers: nothing is lost, nothing is left over, nothing grows."""

import asyncio
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from statistics import linear_regression

import pytest

from bench import process
from bench.crowd import Crowd, cluster, create_clusters
from bench.population import CLUSTERS, WORKERS, name, population
from tests.support.api_server import MERGE, ApiServer, Refused
from tests.support.kubectl import Tree, eventually, kubectl, list_objects

SECONDS = 600.0
FIRST_SECONDS = 120.0
"""Memory grows at first: what comes later is judged."""
PAUSE = 0.25
"""Seconds between two things that happen."""
LOOK_SECONDS = 5.0
CLUSTERS_PATH = "/apis/kubernetes.dask.org/v1/namespaces/{}/daskclusters"
GROUPS_PATH = "/apis/kubernetes.dask.org/v1/namespaces/{}/daskworkergroups"
PODS_PATH = "/api/v1/namespaces/{}/pods"


class Life:
    """What happens to the clusters of a namespace, and how many workers each should have."""

    def __init__(self, api: ApiServer, space: str, seen: Crowd, chance: random.Random) -> None:
        self.wanted = dict.fromkeys(map(name, range(CLUSTERS)), WORKERS)
        self._api = api
        self._space = space
        self._seen = seen
        self._chance = chance

    async def happens(self) -> None:
        """One thing, to one cluster."""
        one = self._chance.choice(sorted(self.wanted))
        what = self._chance.choices((self._scale, self._kill, self._delete), (6, 3, 1))[0]
        try:
            await what(one)
        except Refused as error:
            if error.status not in (404, 409):  # it has gone, or is not there yet
                raise

    async def _scale(self, one: str) -> None:
        number = self._chance.randint(WORKERS - 4, WORKERS + 4)  # as many in all at the end as at first
        path = f"{GROUPS_PATH.format(self._space)}/{one}-default"
        await self._api.call("PATCH", path, {"spec": {"worker": {"replicas": number}}}, MERGE)
        self.wanted[one] = number

    async def _kill(self, one: str) -> None:
        pods = sorted(
            pod["metadata"]["name"] for pod in self._seen.bodies.values() if _cluster_of(pod) == one
        )
        if pods:
            grace = {"gracePeriodSeconds": 0}
            await self._api.call(
                "DELETE", f"{PODS_PATH.format(self._space)}/{self._chance.choice(pods)}", grace
            )

    async def _delete(self, one: str) -> None:
        """Delete it, and create it anew at once."""
        await self._api.call("DELETE", f"{CLUSTERS_PATH.format(self._space)}/{one}")
        await create_clusters(self._api, self._space, [cluster(self._space, one, WORKERS)])
        self.wanted[one] = WORKERS

    def wrong(self) -> list[str]:
        """The clusters that do not have exactly one scheduler and their number of workers."""
        pods = Counter(_cluster_of(pod) for pod in self._seen.bodies.values())
        return [one for one, number in self.wanted.items() if pods[one] != number + 1]


def _cluster_of(pod: Tree) -> str:
    label: str = pod["metadata"]["labels"]["dask.org/cluster-name"]
    return label


async def _measure(samples: list[tuple[float, float]]) -> None:
    while True:
        samples.append((time.monotonic(), process.operator().mib))
        await asyncio.sleep(LOOK_SECONDS)


async def _soak(samples: list[tuple[float, float]], seed: int) -> None:
    async with ApiServer() as api:
        space = f"soak-{secrets.token_hex(3)}"
        async with population(api, space) as seen:
            life = Life(api, space, seen, random.Random(seed))
            measuring = asyncio.create_task(_measure(samples))
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                await life.happens()
                await asyncio.sleep(PAUSE)
            measuring.cancel()
            await seen.until("every number to be right", lambda: not life.wrong(), 300)
            await seen.until("all to be Ready", lambda: len(seen.ready) == len(seen.created), 120)


def _queued() -> Iterator[int]:
    for pod in list_objects("dask-operator", "pods", "app.kubernetes.io/component=operator"):
        path = f"/api/v1/namespaces/dask-operator/pods/{pod['metadata']['name']}:8080/proxy/metrics"
        yield from map(
            int, re.findall(r"^dask_operator_queue_depth (\d+)", kubectl("get", "--raw", path), re.M)
        )


@pytest.mark.slow
@pytest.mark.alone
def test_ten_minutes_of_scaling_deleting_and_killing_leave_every_number_right_and_memory_flat() -> None:
    seed, samples = 1, []  # type: int, list[tuple[float, float]]
    asyncio.run(_soak(samples, seed))
    eventually("the queue to be empty", lambda: list(_queued()) == [0], 60)
    first = samples[0][0]
    late = [(at, mib) for at, mib in samples if at - first > FIRST_SECONDS]
    slope = 60 * linear_regression(*zip(*late, strict=True)).slope
    print(f"memory: {late[0][1]:.0f} MiB, {late[-1][1]:.0f} MiB at the end, {slope:+.2f} MiB a minute")
    assert slope < 1.0
