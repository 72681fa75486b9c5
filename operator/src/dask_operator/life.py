"""The life of the process: looks around, waits for the Lease, leads, and hands over when it is told to stop."""

import asyncio
import logging
import signal
from contextlib import suppress

from dask_operator import __version__, health, logs
from dask_operator.assembly import Parts, assemble
from dask_operator.errors import ApiError, NotFound
from dask_operator.scope import definitions
from dask_operator.scope.territory import Unfit
from dask_operator.settings import Settings
from dask_operator.watching import plugins

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0

DEFINITIONS_SECONDS = 30.0
"""The API server publishes new definitions some seconds after they were installed."""

FINISH_SECONDS = 3.0
"""What has been begun may take this long to be finished before the Lease is handed over."""

EVENTS_SECONDS = 0.5


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        PluginFailed: a plugin cannot be imported, and the settings want it.
        Unfit: the operator must not run here.
        LeadershipLost: another operator leads: the process must end at once.
        WatchesHang: the same, for another reason.
    """
    if plugins.load(settings.plugins_must_load, settings.plugins_unlabelled):
        logs.let_plugins_speak()
    parts = await assemble(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await health.serve(settings.http_port, parts.complaint, lambda: parts.ready, parts.metrics.page)
    told = asyncio.create_task(stop.wait())
    renewing = asyncio.create_task(_lead_when_possible(parts))
    await asyncio.wait({told, renewing}, return_when=asyncio.FIRST_COMPLETED)
    if not renewing.done():
        await _hand_over(parts, renewing)
        return
    renewing.result()
    raise RuntimeError("a part of the operator has ended")


async def _lead_when_possible(parts: Parts) -> None:
    await _check_definitions(parts)
    await parts.territory.enter()
    await parts.survey.try_out()
    parts.ready = True
    logger.info("everything that is looked after can be listed")
    await parts.leadership.acquire()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.leadership.hold())
            group.create_task(_work(parts))
            group.create_task(parts.recorder.run())
            group.create_task(parts.keeper.patrol())
    except BaseExceptionGroup as errors:
        raise _cause(errors) from None


async def _work(parts: Parts) -> None:
    """Look at everything that there is; then watch what happens, and work, until the end."""
    await parts.survey.take_first()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(parts.keeper.run())
        resync = group.create_task(parts.survey.repeat(parts.settings.resync_seconds, parts.keeper.judge))
        await parts.queue.run()
        resync.cancel()
        watching.cancel()


def _cause(error: BaseException) -> BaseException:
    """What is wrong, without the groups of tasks that it has come through."""
    return _cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _check_definitions(parts: Parts) -> None:
    """Wait until the definitions are new enough.

    Raises:
        Unfit: they have been too old for some time.
    """
    loop = asyncio.get_running_loop()
    problem_since: float | None = None
    while True:
        try:
            problem = definitions.too_old(await parts.aside.openapi(), __version__)
        except NotFound:
            problem = definitions.too_old({}, __version__)
        except ApiError as error:
            logger.warning("cannot read the API server's definitions yet: %s", error)
            problem_since = None
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if not problem:
            return
        problem_since = loop.time() if problem_since is None else problem_since
        if loop.time() - problem_since > DEFINITIONS_SECONDS:
            raise Unfit(f"{problem}. {definitions.REMEDY}")
        await asyncio.sleep(RETRY_SECONDS)


async def _hand_over(parts: Parts, leading: "asyncio.Task[None]") -> None:
    """Finish what is being written, then let the next one begin."""
    if parts.leadership.leading:
        logger.info("told to stop: finishing what has been begun")
        parts.queue.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await parts.queue.finished()
        with suppress(TimeoutError):
            async with asyncio.timeout(EVENTS_SECONDS):
                await parts.recorder.written()
    leading.cancel()
    await asyncio.wait({leading}, timeout=EVENTS_SECONDS)
    await parts.leadership.release()
    logger.info("stopped")
