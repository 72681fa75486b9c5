"""The autoscaler's process: puts the parts together and runs them until one ends or it is told to stop."""

import asyncio
import json
import logging
import random
import signal
import sys
import time

from dask_operator_autoscaler import health
from dask_operator_autoscaler.kube import Kube
from dask_operator_autoscaler.loop import Loop
from dask_operator_autoscaler.scheduler import Schedulers
from dask_operator_autoscaler.settings import Settings, SettingsError
from dask_operator_autoscaler.store import Store
from dask_operator_autoscaler.visit import Visitor
from dask_operator_autoscaler.watching import Watching

logger = logging.getLogger("dask_operator_autoscaler")

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


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, or until a part ends, which is an error."""
    kube, schedulers, store = await Kube.connect(), Schedulers(), Store()
    visitor = Visitor(store, kube, schedulers, time.time, settings.identity)
    loop = Loop(store, visitor, time.monotonic, random.Random())
    watching = Watching(kube, store, loop.touch, loop.look_around, time.monotonic)
    server = await health.serve(
        settings.http_port,
        lambda: health.trouble(watching.age, loop.lateness),
        lambda: watching.ready,
    )
    try:
        await _until_told(watching, loop)
    finally:
        await schedulers.close()
        await kube.close()
        await server.cleanup()


async def _until_told(watching: Watching, loop: Loop) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = {
        asyncio.create_task(watching.run(), name="watching"),
        asyncio.create_task(loop.run(), name="visiting"),
        asyncio.create_task(stop.wait(), name="signal"),
    }
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=STOP_SECONDS)
    for task in done:
        if task.get_name() != "signal":
            raise RuntimeError(f"{task.get_name()} has ended") from task.exception()


def set_up_logging(settings: Settings) -> None:
    """Log to standard error, a line a record."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else plain)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


def main() -> None:
    """Entry point of the container. Exit code 1: a setting is wrong, or the autoscaler broke."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(f"dask-operator-autoscaler: {error}")
    set_up_logging(settings)
    try:
        asyncio.run(run(settings))
    except Exception:
        logger.exception("the autoscaler has stopped working")
        sys.exit(1)
