"""Which login is used, and what happens when it ends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from aiohttp import web
from dask_operator_api.kinds import Kind
from dask_operator_client import errors, login
from dask_operator_client.kube import Kube, delete_at_exit
from dask_operator_client.session import Session

PLUGIN = """
import json, pathlib, sys
token = pathlib.Path(sys.argv[1]).read_text()
print(json.dumps({"apiVersion": "v1", "kind": "ExecCredential", "status": {"token": token}}))
"""


class Server:
    """An API server that takes one token, and keeps what it was shown. Its clusters are called like itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.token = "first"
        self.shown: list[str | None] = []
        self.called: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.called.append(request.method)
        self.shown.append(request.headers.get("Authorization"))
        if self.shown[-1] != f"Bearer {self.token}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"server": self.name})

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


@asynccontextmanager
async def serving(word: str) -> AsyncIterator[Server]:
    served = Server(word)
    runner = await served.start()
    yield served
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving("one") as served:
        yield served


def written(path: Path, user: dict[str, Any], **urls: str) -> None:
    """A kubeconfig with a context for each URL, the first of which is the current one."""
    contexts = [{"name": name, "context": {"cluster": name, "user": "u"}} for name in urls]
    clusters = [{"name": name, "cluster": {"server": url}} for name, url in urls.items()]
    users = [{"name": "u", "user": user}]
    body = {"contexts": contexts, "clusters": clusters, "users": users, "current-context": next(iter(urls))}
    path.write_text(yaml.safe_dump(body))


@pytest.fixture
async def another() -> AsyncIterator[Server]:
    async with serving("another") as served:
        yield served


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file whose token the plugin gives; without it, the plugin fails."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "token").write_text("first")
    return tmp_path / "token"


def gives(token: Path, text: str) -> None:
    """From now on the plugin gives this token, or fails if it is empty."""
    token.write_text(text) if text else token.unlink()


def plugin(token: Path) -> dict[str, Any]:
    command = {"command": sys.executable, "args": [str(token.parent / "plugin.py"), str(token)]}
    return {"exec": {"apiVersion": "v1", **command}}


async def test_a_login_plugin_that_fails_is_told_and_nobody_goes_on_without_a_login(
    server: Server, kubeconfig: Path, token: Path
) -> None:
    written(kubeconfig, plugin(token), one=server.url)
    gives(token, "")
    with pytest.raises(errors.KubernetesUnavailable, match=r"login plugin failed .*exec.*log in again"):
        await Kube.connect()


@pytest.mark.parametrize(
    ("user", "token", "certificate"),
    [
        ({"exec": {}}, {"BearerToken": "t"}, None),
        ({"auth-provider": {}}, {}, "file"),
        ({}, {}, None),
        (None, {}, None),
    ],
)
def test_a_plugin_that_gives_a_token_or_a_certificate_is_well_and_so_is_a_user_without_one(
    user: dict[str, Any] | None, token: dict[str, str], certificate: str | None
) -> None:
    found = SimpleNamespace(api_key=token, cert_file=certificate)
    login._check_plugin(SimpleNamespace(_user=user), found, "config")


async def test_after_a_login_that_failed_the_next_call_logs_in_again(
    server: Server, kubeconfig: Path, token: Path
) -> None:
    written(kubeconfig, plugin(token), one=server.url)
    kube = await Kube.connect()
    assert await kube.get(Kind.CLUSTER, "ns", "c") == {"server": "one"}
    server.token = "second"
    gives(token, "")
    with pytest.raises(errors.KubernetesUnavailable, match="login plugin failed"):
        await kube.get(Kind.CLUSTER, "ns", "c")
    gives(token, "second")
    assert await kube.get(Kind.CLUSTER, "ns", "c") == {"server": "one"}
    assert None not in server.shown
    await kube.close()


async def test_a_login_that_was_renewed_has_its_own_client_certificate(
    server: Server, kubeconfig: Path, token: Path
) -> None:
    written(kubeconfig, plugin(token), one=server.url)
    kube = await Kube.connect()
    before = kube._tls_and_proxy()["ssl"]
    await kube._log_in_again()
    assert kube._tls_and_proxy()["ssl"] is not before
    await kube.close()


async def test_a_login_is_renewed_in_its_own_context_whatever_is_the_current_one(
    server: Server, another: Server, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(kubeconfig, {"token": "first"}, one=server.url, another=another.url)
    monkeypatch.chdir(kubeconfig.parent)
    monkeypatch.setenv("KUBECONFIG", "config")
    kube = await Kube.connect()
    monkeypatch.chdir("/")
    written(kubeconfig, {"token": "second"}, another=another.url, one=server.url)
    server.token = another.token = "second"
    assert await kube.get(Kind.CLUSTER, "ns", "c") == {"server": "one"}
    assert another.shown == []
    await kube.close()


async def test_a_process_that_ends_deletes_its_cluster_where_it_was_created(
    server: Server, another: Server, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(kubeconfig, {"token": "first"}, one=server.url, another=another.url)
    session = await Session.open("c", "ns")
    session.claim.uid = "u"
    written(kubeconfig, {"token": "first"}, another=another.url, one=server.url)
    monkeypatch.setenv("KUBECONFIG", "elsewhere")
    await asyncio.to_thread(delete_at_exit, session.claim)
    assert (server.called, another.called) == (["DELETE"], [])
    await session.end(delete=False)


async def test_a_process_that_was_forked_leaves_the_cluster_of_its_parent_alone(
    server: Server, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(kubeconfig, {"token": "first"}, one=server.url)
    session = await Session.open("c", "ns")
    session.claim.uid = "u"
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    await asyncio.to_thread(delete_at_exit, session.claim)
    monkeypatch.undo()
    assert server.called == []
    await session.end(delete=False)
