"""A client whose connection broke: its futures say what happened, and it works on. The scheduler is real."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dask_operator_client import KubeCluster, lifecycle
from dask_operator_client.connecting import Endpoints
from dask_operator_client.forward import HOST, PortForward
from dask_operator_client.progress import Progress
from distributed import Client, Scheduler, Worker
from distributed.client import FutureCancelledError
from distributed.core import rpc

from tests.unit.client.test_forward import TcpStream

SECONDS = 20.0

# each KubeCluster that listens for workers takes the place of the one before, in the scheduler
# and what was submitted just before a cut may never have reached it: warnings of the scheduler's process
pytestmark = [
    pytest.mark.filterwarnings("ignore:Scheduler already contains a plugin"),
    pytest.mark.filterwarnings("ignore:Client .* desires key"),
]


class Near(KubeCluster):
    """A KubeCluster whose scheduler is in this process, behind a port-forward that can be cut."""

    scheduler: Scheduler

    async def _reach(self, progress: Progress) -> None:
        self.streams: list[TcpStream] = []
        self.forward = PortForward(self._dial)
        local = (await self.forward.open({0: 0}))[0]
        self._endpoints = Endpoints(f"tcp://{HOST}:{local}", HOST, 0)
        self.scheduler_comm = rpc(self._endpoints.scheduler)

    async def _dial(self, port: int) -> TcpStream:
        stream = TcpStream(*await asyncio.open_connection(HOST, self.scheduler.port))
        self.streams.append(stream)
        return stream

    async def cut(self) -> None:
        """End every connection that is open."""
        cut, self.streams = self.streams, []
        for stream in cut:
            await stream.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Near]:
    async with (
        Scheduler(dashboard=False, dashboard_address=":0", port=0, host=HOST) as scheduler,
        Worker(scheduler.address, nthreads=1),
    ):
        Near.scheduler = scheduler
        async with Near(name="near", quiet=True, asynchronous=True) as near:
            yield near
            await near.forward.close()


def endless(client: Client) -> Any:
    """A future that no worker can finish."""
    return client.submit(sum, [1], pure=False, resources={"none has it": 1})


async def test_a_lost_future_says_that_published_datasets_are_intact(cluster: Near) -> None:
    async with Client(cluster, asynchronous=True) as client:
        await client.publish_dataset(kept=client.submit(sum, [1, 2]))
        for number in range(3):
            lost = endless(client)
            await cluster.cut()
            with pytest.raises(FutureCancelledError) as caught:
                await asyncio.wait_for(lost.result(), SECONDS)
            assert "The connection to the scheduler of near broke" in str(caught.value)
            assert "published datasets are intact" in str(caught.value)
            assert await asyncio.wait_for(client.submit(sum, [number, 1]).result(), SECONDS) == number + 1
        assert await (await client.get_dataset("kept")).result() == 3


async def test_futures_of_another_client_are_left_alone(cluster: Near) -> None:
    async with (
        Client(cluster, asynchronous=True) as client,
        Client(cluster.scheduler.address, asynchronous=True) as other,
    ):
        lost, kept = endless(client), endless(other)
        await cluster.cut()
        with pytest.raises(FutureCancelledError, match="near broke"):
            await asyncio.wait_for(lost.result(), SECONDS)
        assert kept.status == "pending"
        assert await client.submit(sum, [1, 2]).result() == 3


async def test_workers_are_heard_of_again_after_a_cut(cluster: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "RESUBSCRIBE_SECONDS", 0.01)
    await cluster.cut()
    async with Worker(cluster.scheduler.address, nthreads=1) as second:
        async with asyncio.timeout(SECONDS):
            while second.address not in cluster.scheduler_info["workers"]:  # noqa: ASYNC110  # distributed tells nobody
                await asyncio.sleep(0.01)
