"""What the API server's answers mean: to deleting one object, and to a watch, over a real socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiohttp import web
from dask_operator.api_server import transport
from dask_operator.api_server.kube import Kube
from dask_operator.errors import ApiError, Conflict, NotFound, TryAgain
from dask_operator_api.fence import Fence
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration


class Scripted(Kube):
    """Gives the answers of a script, one for each call, and remembers the verbs."""

    def __init__(self, *answers: dict[str, Any] | ApiError) -> None:
        super().__init__(cast(ApiClient, None), Fence.always_open(), "test")
        self.verbs: list[str] = []
        self._answers = list(answers)

    async def _call(self, verb: str, *_: Any, **__: Any) -> dict[str, Any]:
        self.verbs.append(verb)
        answer = self._answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


async def _delete(kube: Kube) -> dict[str, Any] | None:
    return await kube.delete("Pod", "ns", "pod", "uid-1")


async def test_an_object_that_is_gone_already_is_deleted() -> None:
    assert await _delete(Scripted(NotFound("gone"))) is None


async def test_a_conflict_about_a_successor_of_the_same_name_means_that_the_object_is_gone() -> None:
    kube = Scripted(Conflict("precondition failed"), {"metadata": {"uid": "uid-2"}})
    assert await _delete(kube) is None
    assert await _delete(Scripted(Conflict("precondition failed"), NotFound("gone"))) is None
    assert kube.verbs == ["DELETE", "GET"]


async def test_a_conflict_about_an_object_that_is_still_there_is_no_success() -> None:
    with pytest.raises(Conflict, match="modified"):
        await _delete(Scripted(Conflict("the object has been modified"), {"metadata": {"uid": "uid-1"}}))


@asynccontextmanager
async def _kube_of(pods: web.Application) -> AsyncIterator[Kube]:
    """Calls to a server of this machine."""
    runner = web.AppRunner(pods, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = ApiClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"))
    fence = Fence.always_open()
    client.rest_client.pool_manager = transport.session(
        fence, client.configuration.host, client.rest_client.ssl_context, 1
    )
    kube = Kube(client, fence, "test")
    try:
        yield kube
    finally:
        await kube.close()
        await runner.cleanup()


def _serving(*told: dict[str, Any], status: int = 200, cut: bool = False) -> web.Application:
    """A server that tells this to whoever watches the Pods of all namespaces from version 7 on."""

    async def watch(request: web.Request) -> web.StreamResponse:
        assert request.query["watch"] == "true"
        assert request.query["resourceVersion"] == "7"
        assert request.query["allowWatchBookmarks"] == "true"
        response = web.StreamResponse(status=status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        for one in told:
            await response.write(json.dumps(one).encode() + b"\n")
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    app = web.Application()
    app.router.add_get("/api/v1/pods", watch)
    return app


async def _versions(kube: Kube) -> list[str]:
    return [change.body["metadata"]["resourceVersion"] async for change in kube.watch("Pod", 7)]


def _told(version: str) -> dict[str, Any]:
    return {"type": "MODIFIED", "object": {"metadata": {"resourceVersion": version}}}


async def test_a_watch_tells_what_happens_until_the_server_ends_it() -> None:
    async with _kube_of(_serving(_told("8"), _told("9"))) as kube:
        assert await _versions(kube) == ["8", "9"]
        assert await _versions(kube) == ["8", "9"]  # over the same connection, which is free again


@pytest.mark.parametrize(
    "app",
    [
        _serving({"kind": "Status", "message": "too old"}, status=410),
        _serving({"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
        _serving(_told("8"), cut=True),
    ],
    ids=["refused", "told", "cut"],
)
async def test_a_watch_that_breaks_is_worth_another_try(app: web.Application) -> None:
    async with _kube_of(app) as kube:
        with pytest.raises(TryAgain, match=r"too old|no answer"):
            await _versions(kube)
