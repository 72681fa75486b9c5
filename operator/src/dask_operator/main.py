"""The operator's process: puts the parts together and runs them until one ends or it is told to stop."""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass

import kopf

from dask_operator import handlers, health
from dask_operator.dask_scheduler import DaskSchedulers
from dask_operator.intake import Intake
from dask_operator.kube import Kube
from dask_operator.queue import KeyedQueue
from dask_operator.reconcile import Context, reconcile
from dask_operator.recorder import Recorder
from dask_operator.resync import first_listing, resync
from dask_operator.retirement import SchedulerDesk
from dask_operator.settings import Settings, SettingsError
from dask_operator.store import Key, Store

logger = logging.getLogger("dask_operator")

STOP_SECONDS = 10.0


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


@dataclass
class Parts:
    """The running operator."""

    settings: Settings
    kube: Kube
    schedulers: DaskSchedulers
    desk: SchedulerDesk
    queue: KeyedQueue
    recorder: Recorder
    intake: Intake
    ready: bool = False


async def assemble(settings: Settings) -> Parts:
    """Connect everything; nothing runs yet."""
    kube = await Kube.connect()
    schedulers = DaskSchedulers()
    store = Store()

    async def one(key: Key) -> float | None:
        return await reconcile(context, key)

    queue = KeyedQueue(one, settings.concurrency)
    desk = SchedulerDesk(schedulers, queue.add, time.monotonic)
    intake = Intake(store, queue, desk)
    recorder = Recorder(kube, settings.identity)
    context = Context(settings, kube, store, intake, desk, recorder, time.monotonic, time.time)
    return Parts(settings, kube, schedulers, desk, queue, recorder, intake)


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, or until a part of the operator ends, which is an error."""
    parts = await assemble(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await health.serve(settings.http_port, parts.queue, lambda: parts.ready)
    tasks = {
        asyncio.create_task(_watch(parts), name="kopf"),
        asyncio.create_task(_work(parts), name="reconciling"),
        asyncio.create_task(parts.recorder.run(), name="Events"),
        asyncio.create_task(stop.wait(), name="signal"),
    }
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=STOP_SECONDS)
    await parts.desk.close()
    await parts.schedulers.close()
    await parts.kube.close()
    await server.cleanup()
    for task in done:
        # kopf takes the signals for itself, and ends without an error when it gets one.
        if task.get_name() not in ("signal", "kopf") or task.exception() is not None:
            raise RuntimeError(f"{task.get_name()} has ended") from task.exception()


async def _work(parts: Parts) -> None:
    await first_listing(parts.kube, parts.intake)
    parts.ready = True
    logger.info("first full observation done")
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.queue.run())
        group.create_task(resync(parts.kube, parts.intake, parts.settings.resync_seconds))


async def _watch(parts: Parts) -> None:
    registry = kopf.get_default_registry()
    handlers.register(parts.intake, registry)
    kopf_settings = kopf.OperatorSettings()
    handlers.configure(kopf_settings)
    await kopf.operator(registry=registry, settings=kopf_settings, standalone=True, clusterwide=True)


def set_up_logging(settings: Settings) -> None:
    """Log to standard error, a line a record."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else plain)
    level = settings.log_level.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(level), logging.WARNING))


def main() -> None:
    """Entry point of the container. Exit code 1: a setting is wrong, or the operator broke."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(f"dask-operator: {error}")
    set_up_logging(settings)
    try:
        asyncio.run(run(settings))
    except Exception:
        logger.exception("the operator has stopped working")
        logging.shutdown()
        os._exit(1)
