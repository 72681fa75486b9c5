"""``/healthz`` and ``/readyz``, served outside kopf."""

from collections.abc import Callable

from aiohttp import web

from dask_operator.queue import KeyedQueue

QUEUE_LIMIT_SECONDS = 180.0
"""A key that waits or is worked on for longer than this means that the operator has stopped working."""


async def serve(port: int, queue: KeyedQueue, is_ready: Callable[[], bool]) -> web.AppRunner:
    """Serve the probes on ``port`` of all addresses; close the answer with ``cleanup()``."""

    async def healthz(_: web.Request) -> web.Response:
        age = queue.oldest_age()
        if age > QUEUE_LIMIT_SECONDS:
            return web.Response(status=500, text=f"the oldest item has been in the queue for {age:.0f} s\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not is_ready():
            return web.Response(status=503, text="the first full observation is not done\n")
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
