"""An API server that knows DaskClusters only, keeps them in memory, and can lose its answers. Nobody acts on them."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

PATH = "/apis/kubernetes.dask.org/v1/namespaces/{namespace}/daskclusters"


class StubApi:
    """Serves on a free port of this machine, in a thread of its own."""

    def __init__(self) -> None:
        self.clusters: dict[str, dict[str, Any]] = {}
        self.created = threading.Event()
        self.lost_answers = 0
        """How many of the next creations are carried out and not answered."""
        self.posts = 0
        self.url = ""

    async def _post(self, request: web.Request) -> web.Response:
        self.posts += 1
        body = await request.json()
        name = body["metadata"]["name"]
        if name in self.clusters:
            return _status(409, name, "already exists")
        body["metadata"] |= {"uid": str(uuid.uuid4())}
        self.clusters[name] = body
        self.created.set()
        if self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.close()
        return web.json_response(body, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return (
            web.json_response(self.clusters[name])
            if name in self.clusters
            else _status(404, name, "not found")
        )

    async def _delete(self, request: web.Request) -> web.Response:
        name, options = request.match_info["name"], await request.json()
        if name not in self.clusters:
            return _status(404, name, "not found")
        if options["preconditions"]["uid"] != self.clusters[name]["metadata"]["uid"]:
            return _status(409, name, "another uid")
        return web.json_response(self.clusters.pop(name))

    async def start(self) -> web.AppRunner:
        """Serve until the runner that is given is cleaned up."""
        app = web.Application()
        app.router.add_post(PATH, self._post)
        app.router.add_get(PATH + "/{name}", self._get)
        app.router.add_delete(PATH + "/{name}", self._delete)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


def _status(code: int, name: str, message: str) -> web.Response:
    body = {"kind": "Status", "code": code, "message": f"{name}: {message}", "details": {"name": name}}
    return web.json_response(body, status=code)


@contextmanager
def stub_api(kubeconfig: Path) -> Iterator[StubApi]:
    """An API server, and the file that leads to it."""
    api, loop = StubApi(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(api.start(), loop).result(10)
    named = {"name": "stub"}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "stub",
                "contexts": [{**named, "context": {"cluster": "stub", "user": "stub"}}],
                "clusters": [{**named, "cluster": {"server": api.url}}],
                "users": [{**named, "user": {"token": "t"}}],
            }
        )
    )
    try:
        yield api
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
