"""Real Dask schedulers and workers in the test's own process, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dask
from distributed import Client, Scheduler, Worker

ROUTES = [
    "distributed.http.scheduler.prometheus",
    "distributed.http.scheduler.info",
    "distributed.http.scheduler.json",
    "distributed.http.scheduler.api",
    "distributed.http.health",
    "distributed.http.proxy",
    "distributed.http.statics",
]
"""What the operator's schedulers serve."""

GROUP = "c-default"
NAMELESS = ""
"""A group whose workers are not named as the operator names them."""


class InProcess:
    """A scheduler, with workers that come when they are called."""

    def __init__(self, scheduler: Any, client: Any) -> None:
        self.scheduler = scheduler
        self.client = client
        self.base = f"http://127.0.0.1:{scheduler.http_server.port}"
        self.workers: list[Any] = []

    async def add_workers(self, count: int, group: str = GROUP, **more: Any) -> None:
        """Have workers connect, named as the operator names them."""
        for _ in range(count):
            number = len(self.workers)
            name = f"{group}-worker-{number:010x}" if group else f"mine-{number}"
            options = {"nthreads": 1, "memory_limit": "1 GiB", "dashboard": False, **more}
            self.workers.append(await Worker(self.scheduler.address, name=name, **options))


@asynccontextmanager
async def dask_cluster() -> AsyncIterator[InProcess]:
    """A scheduler without workers, and a client of it."""
    with dask.config.set({"distributed.scheduler.http.routes": ROUTES}):
        async with (
            Scheduler(port=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            cluster = InProcess(scheduler, client)
            try:
                yield cluster
            finally:
                for worker in cluster.workers:
                    await worker.close()
