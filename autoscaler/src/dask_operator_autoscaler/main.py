"""The autoscaler's process: puts the parts together and runs them until one ends or it is told to stop."""

import asyncio
import logging
import random
import secrets
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dask_operator_api import logs
from dask_operator_api.election import Identity
from dask_operator_api.environment import SettingsError
from dask_operator_api.fence import Fence, boot_seconds
from dask_operator_api.leadership import Leadership, LeadershipLost

from dask_operator_autoscaler import health
from dask_operator_autoscaler.connection import Connection
from dask_operator_autoscaler.kube import Kube, find
from dask_operator_autoscaler.loop import Loop
from dask_operator_autoscaler.metrics import Gauges, Metrics
from dask_operator_autoscaler.scheduler import Schedulers
from dask_operator_autoscaler.settings import Settings
from dask_operator_autoscaler.store import Store
from dask_operator_autoscaler.visit import Visitor
from dask_operator_autoscaler.watching import Watching

logger = logging.getLogger("dask_operator_autoscaler")

STOP_SECONDS = 10.0

ASIDE_CONNECTIONS = 2


@dataclass
class Parts:
    """The autoscaler."""

    leadership: Leadership
    watching: Watching
    loop: Loop
    store: Store
    metrics: Metrics

    def gauges(self) -> Gauges:
        """The numbers of this moment."""
        return Gauges(
            leading=self.leadership.leading,
            ready=self.watching.ready,
            autoscalers=len(self.store.autoscalers),
            clusters=len(self.store.autoscalers.homes()),
            lateness=max(0.0, self.loop.lateness),
        )

    def complaint(self) -> str:
        """What keeps it from working; empty if nothing does."""
        return health.trouble(self.watching.tried_ago, self.loop.lateness, self.leadership.tried_ago())


async def run(settings: Settings, connection: Connection | None = None) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        LeadershipLost: another autoscaler leads: the process must end at once.
        RuntimeError: a part has ended.
    """
    async with AsyncExitStack() as closing:
        parts = await _assemble(settings, connection or await find(), closing)
        server = await health.serve(
            settings.http_port, parts.complaint, lambda: parts.watching.ready, parts.metrics.page
        )
        closing.push_async_callback(server.cleanup)
        try:
            await _until_told(parts)
        finally:
            await parts.leadership.release()


async def _assemble(settings: Settings, connection: Connection, closing: AsyncExitStack) -> Parts:
    metrics = Metrics()
    me = Identity.of(settings.identity, settings.pod_uid, secrets.token_hex(4))
    aside = Kube(connection, connections=ASIDE_CONNECTIONS, called=metrics.called)
    fence = Fence()
    leadership = Leadership(aside.lease(settings.namespace, settings.lease), me, fence, boot_seconds)
    kube = Kube(connection, fence.left, called=metrics.called)
    schedulers, store = Schedulers(metrics.asked), Store()
    for part in (aside, kube, schedulers):
        closing.push_async_callback(part.close)
    visitor = Visitor(store, kube, schedulers, time.time, settings.identity, metrics)
    loop = Loop(store, visitor, time.monotonic, random.Random(), lambda: leadership.leading, metrics.visited)
    leadership.resumed = loop.look_around
    spaces = settings.watch_namespaces or ("",)
    watching = Watching(kube, store, loop.touch, loop.look_around, time.monotonic, spaces)
    parts = Parts(leadership, watching, loop, store, metrics)
    metrics.watch(parts.gauges)
    return parts


async def _lead(parts: Parts) -> None:
    """Once everything is known, wait for the Lease, begin, and renew it until cancelled.

    Raises:
        LeadershipLost: another process has taken it.
    """
    await parts.watching.known.wait()
    await parts.leadership.acquire()
    parts.loop.look_around()
    await parts.leadership.hold()


async def _until_told(parts: Parts) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = {
        asyncio.create_task(parts.watching.run(), name="watching"),
        asyncio.create_task(_lead(parts), name="leading"),
        asyncio.create_task(parts.loop.run(), name="visiting"),
        asyncio.create_task(stop.wait(), name="signal"),
    }
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=STOP_SECONDS)
    for task in done:
        error = task.exception()
        if isinstance(error, LeadershipLost):
            raise error
        if task.get_name() != "signal":
            raise RuntimeError(f"{task.get_name()} has ended") from error


def main() -> None:
    """Entry point of the container. Exit code 1: a setting is wrong, the autoscaler broke, or another one leads."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(f"dask-operator-autoscaler: {error}")
    logs.set_up(settings.log_level, settings.log_format)
    try:
        asyncio.run(run(settings))
    except LeadershipLost as error:
        logger.error("%s", error)
        sys.exit(1)
    except Exception:
        logger.exception("the autoscaler has stopped working")
        sys.exit(1)
