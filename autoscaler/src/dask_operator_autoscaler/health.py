"""``/healthz``, ``/readyz`` and ``/metrics``: whether the autoscaler works, not whether it runs."""

from collections.abc import Callable

from aiohttp import web

from dask_operator_autoscaler import metrics

LISTING_LIMIT_SECONDS = 900.0
"""Everything is listed anew every few minutes, or tried to be where the API server is away."""

LATENESS_LIMIT_SECONDS = 60.0

LEASE_LIMIT_SECONDS = 60.0
"""The Lease is tried every second or two, whether or not anybody answers."""


def trouble(listing_tried: float, lateness: float, lease_tried: float) -> str:
    """What keeps the autoscaler from working; empty if nothing does.

    Args:
        listing_tried: seconds since the last try to list what was tried longest ago.
        lateness: seconds by which the visit that is due longest is late.
        lease_tried: seconds since the last try to look at the Lease.
    """
    if listing_tried > LISTING_LIMIT_SECONDS:
        return f"no listing has been tried for {listing_tried:.0f} s"
    if lateness > LATENESS_LIMIT_SECONDS:
        return f"a cluster should have been visited {lateness:.0f} s ago"
    if lease_tried > LEASE_LIMIT_SECONDS:
        return f"the Lease has not been looked at for {lease_tried:.0f} s"
    return ""


async def serve(
    port: int, find_trouble: Callable[[], str], is_ready: Callable[[], bool], numbers: Callable[[], bytes]
) -> web.AppRunner:
    """Serve the probes and the metrics on ``port`` of all addresses; close the answer with ``cleanup()``.

    Args:
        port: the TCP port.
        find_trouble: what keeps the autoscaler from working; empty if nothing does.
        is_ready: whether everything has been listed once. Whether this process leads does not matter.
        numbers: the page of metrics.
    """

    async def healthz(_: web.Request) -> web.Response:
        found = find_trouble()
        return web.Response(status=500, text=f"{found}\n") if found else web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not is_ready():
            return web.Response(status=503, text="not everything has been listed once\n")
        return web.Response(text="ok\n")

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=numbers(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
