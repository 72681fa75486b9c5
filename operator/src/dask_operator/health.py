"""``/healthz``, ``/readyz`` and ``/metrics``, served outside kopf."""

from collections.abc import Callable

from aiohttp import web

from dask_operator import metrics


async def serve(
    port: int, complaint: Callable[[], str], is_ready: Callable[[], bool], numbers: Callable[[], bytes]
) -> web.AppRunner:
    """Serve the probes and the metrics on ``port`` of all addresses; close the answer with ``cleanup()``.

    Args:
        port: the TCP port.
        complaint: why the operator should be started anew; empty while there is no reason to.
        is_ready: whether all that is looked after can be listed. Whether this process leads does not matter.
        numbers: the page of metrics.
    """

    async def healthz(_: web.Request) -> web.Response:
        reason = complaint()
        return web.Response(status=500, text=f"{reason}\n") if reason else web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not is_ready():
            return web.Response(
                status=503, text="not everything that is to be looked after can be listed yet\n"
            )
        return web.Response(text="ok\n")

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=numbers(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
