"""Connections to the API server notice when nobody is there any more."""

import socket

import dask
import pytest
from aiohttp import web
from dask_operator_api.kinds import Kind
from dask_operator_client import kube, lively
from dask_operator_client.login import Login, Source
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 1))


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has all of it")
async def test_the_api_server_is_reached_through_sockets_that_ask_whether_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, int]] = []

    def noted(address: tuple[int, ...]) -> socket.socket:
        made = lively.lively_socket(address)
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        options = {name: made.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}
        told.append({**options, "on": made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)})
        return made

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"kind": "DaskCluster"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(kube, "lively_socket", noted)
    configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    connection = kube.Kube(Login(ApiClient(configuration), "ns", Source("")))
    await connection.get(Kind.CLUSTER, "ns", "c")
    await connection.close()
    await runner.cleanup()
    options = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 40_000}
    assert told == [{**options, "on": 1}]


def test_a_platform_that_knows_none_of_it_has_sockets_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, name, raising=False)
    with lively.lively_socket(ADDRESS) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert not made.getblocking()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_a_scheduler_that_reads_nothing_for_a_while_is_given_more_time_than_dask_gives_it() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.tcp": "2 minutes"}),
        lively.lively_socket(ADDRESS) as made,
    ):
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 130_000
