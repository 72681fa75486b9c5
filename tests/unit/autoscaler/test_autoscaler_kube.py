"""Calls to the API server, and a store that is kept like it."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dask_operator_api.kinds import Kind
from dask_operator_autoscaler import connection, errors
from dask_operator_autoscaler import kube as module
from dask_operator_autoscaler.kube import Change, Chunk, Kube
from dask_operator_autoscaler.store import Identity, Store
from dask_operator_autoscaler.watching import Watching

from tests.unit.autoscaler.stub_api import StubApi, stub_api
from tests.unit.autoscaler.worlds import HOME, dask_cluster, scaler, worker_group

GROUP_PATH = "/apis/kubernetes.dask.org/v1/namespaces/ns"
MANAGER = "fieldManager=dask-operator-autoscaler"


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[StubApi, Kube]]:
    """A server, and calls to it."""
    async with stub_api() as (api, where):
        kube = Kube(where)
        try:
            yield api, kube
        finally:
            await kube.close()


async def until(what: str, holds: Callable[[], object]) -> None:
    """Wait for a condition, at most 10 s."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, f"waited 10 s for {what}"
        await asyncio.sleep(0.01)


async def test_a_group_is_scaled_as_kubectl_does() -> None:
    async with connected() as (api, kube):
        await kube.scale("ns", "c-default", 4, "7")
        expected = f"{GROUP_PATH}/daskworkergroups/c-default/scale?{MANAGER}"
        body = {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 4}}
        assert api.calls == [("PATCH", expected, body)]


async def test_nothing_is_written_where_the_fence_is_closed_but_read_it_is() -> None:
    async with stub_api() as (api, where):
        left = 0.0
        kube = Kube(where, lambda: left)
        with pytest.raises(errors.NotLeading):
            await kube.scale("ns", "c-default", 4, "7")
        await kube.lease("ns", "l").read()
        assert [call[0] for call in api.calls] == ["GET"]
        left = 5.0
        await kube.scale("ns", "c-default", 4, "7")
        await kube.close()


async def test_a_write_is_given_up_when_the_fence_closes() -> None:
    async with stub_api() as (api, where):
        api.answering.clear()
        kube = Kube(where, lambda: 0.2)
        with pytest.raises(errors.TryAgain, match="no answer"):
            await asyncio.wait_for(kube.scale("ns", "c-default", 4, "7"), 5)
        await kube.close()


async def test_a_status_is_written_to_that_very_autoscaler() -> None:
    async with connected() as (api, kube):
        await kube.write_status("ns", "c", "uid-c", {"desiredReplicas": 4})
        _, path, body = api.calls[0]
        assert path.startswith(f"{GROUP_PATH}/daskautoscalers/c/status?")
        assert body == {"metadata": {"uid": "uid-c"}, "status": {"desiredReplicas": 4}}


async def test_an_event_that_is_there_already_is_enough() -> None:
    async with connected() as (api, kube):
        event = {"metadata": {"name": "c.1"}, "count": 1, "lastTimestamp": "now"}
        await kube.tell("ns", event)
        api.refusal = 409
        await kube.tell("ns", event)
        assert [call[0] for call in api.calls] == ["POST", "POST"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.TryAgain),
        (403, errors.Refused),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.Gone),
        (422, errors.Refused),
        (429, errors.TryAgain),
        (500, errors.TryAgain),
    ],
)
async def test_each_answer_has_its_error_in_the_servers_own_words(status: int, kind: type[Exception]) -> None:
    async with connected() as (api, kube):
        api.refusal = status
        with pytest.raises(errors.ApiError, match="in its own words") as caught:
            await kube.scale("ns", "c-default", 4, "7")
        assert type(caught.value) is kind


async def test_nobody_there_is_worth_another_try() -> None:
    async with stub_api() as (_, where):
        pass
    kube = Kube(where)
    with pytest.raises(errors.TryAgain):
        await kube.scale("ns", "c-default", 4, "7")
    await kube.close()


@asynccontextmanager
async def watching(
    api: StubApi,
    kube: Kube,
    *spaces: str,
    watches: int = 3,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[tuple[Watching, list[Identity]]]:
    """A store that is kept, and the clusters whose autoscalers were edited."""
    edited: list[Identity] = []
    found = Watching(kube, Store(), edited.append, lambda: None, clock, spaces or ("",))
    task = asyncio.create_task(found.run())
    try:
        await until("all watches", lambda: api.watching() == watches)
        yield found, edited
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_everything_is_listed_in_chunks_and_then_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_CHUNK", 2)
    async with connected() as (api, kube):
        api.objects["daskautoscalers"] = [scaler(f"s{number}") for number in range(5)]
        async with watching(api, kube) as (found, edited):
            assert found.ready
            assert edited == []
            assert len(found.store.autoscalers.of(HOME)) == 5
            api.send("daskautoscalers", "ADDED", scaler("new"))
            api.send("daskclusters", "ADDED", dask_cluster())
            api.send("daskworkergroups", "MODIFIED", worker_group(replicas=3))
            api.send("daskautoscalers", "DELETED", scaler("s1"))
            await until("the end", lambda: found.store.autoscalers.get("ns", "s1") is None)
            await until("the cluster", lambda: found.store.clusters.get(*HOME))
            await until("the group", lambda: found.store.groups.of(HOME))
            assert edited == [HOME]
            watched = [path for method, path, _ in api.calls if "watch=1" in path]
            assert all("resourceVersion=7" in path for path in watched)


async def test_an_edited_spec_is_news_and_a_written_status_is_not() -> None:
    async with connected() as (api, kube):
        api.objects["daskautoscalers"] = [scaler()]
        async with watching(api, kube) as (found, edited):
            api.send("daskautoscalers", "MODIFIED", {**scaler(), "status": {"desiredReplicas": 1}})
            api.send("daskautoscalers", "MODIFIED", scaler(maximum=3))
            await until("the edit", lambda: edited)
            assert edited == [HOME]
            held = found.store.autoscalers.get("ns", "c")
            assert held is not None
            assert held.spec is not None
            assert held.spec.maximum == 3


@pytest.mark.parametrize("gone", [False, True])
async def test_after_a_watch_has_ended_what_went_unseen_is_found(gone: bool) -> None:
    async with connected() as (api, kube):
        api.objects["daskautoscalers"] = [scaler("a"), scaler("b")]
        async with watching(api, kube) as (found, _):
            api.objects["daskautoscalers"] = [scaler("b")]
            if gone:
                api.send("daskautoscalers", "ERROR", {"code": 410, "message": "too old"})
            else:
                api.end_watches()
            await until("the new listing", lambda: found.store.autoscalers.get("ns", "a") is None)
            assert found.store.autoscalers.get("ns", "b")


async def test_a_server_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask_operator_autoscaler.watching.RETRY_SECONDS", 0.01)
    async with connected() as (api, kube), watching(api, kube) as (found, _):
        api.send("daskclusters", "ERROR", {"code": 500, "message": "etcd"})
        lists = api.lists
        await until("another listing", lambda: api.lists > lists)
        assert found.ready


@pytest.mark.parametrize("status", [403, 404])
async def test_a_namespace_that_is_lost_holds_up_no_other(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dask_operator_autoscaler.watching.LEFT_OUT_SECONDS", 0.01)
    caplog.set_level("WARNING", "dask_operator_autoscaler.watching")
    async with connected() as (api, kube):
        api.objects["daskautoscalers"] = [scaler()]
        api.lost = {"lost": status}
        async with watching(api, kube, "ns", "lost") as (found, _):
            await asyncio.wait_for(found.known.wait(), 5)
            assert found.store.autoscalers.get("ns", "c")
            before = api.lists
            await until("some more tries", lambda: api.lists > before + 9)
            assert len(caplog.records) == 3
            assert all("namespace lost is left out" in record.getMessage() for record in caplog.records)
            api.lost = {}
            await until("its watches", lambda: api.watching() == 6)
            assert len(caplog.records) == 6
            assert "looked after again" in caplog.records[-1].getMessage()


async def test_what_was_in_a_namespace_that_is_lost_is_forgotten() -> None:
    async with connected() as (api, kube):
        elsewhere = scaler("d")
        elsewhere["metadata"]["namespace"] = "lost"
        api.objects["daskautoscalers"] = [scaler(), elsewhere]
        async with watching(api, kube, "ns", "lost", watches=6) as (found, _):
            assert found.store.autoscalers.get("lost", "d")
            api.lost = {"lost": 403}
            api.end_watches()
            await until("it to be gone", lambda: not found.store.autoscalers.get("lost", "d"))
            assert found.store.autoscalers.get("ns", "c")
            assert found.ready


@pytest.mark.parametrize("space", ["", "ns"])
async def test_where_nothing_at_all_may_be_listed_nothing_is_known(
    space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_operator_autoscaler.watching.LEFT_OUT_SECONDS", 0.01)
    monkeypatch.setattr("dask_operator_autoscaler.watching.RETRY_SECONDS", 0.01)
    async with connected() as (api, kube):
        api.lost = {space: 403}
        async with watching(api, kube, space, watches=0) as (found, _):
            await until("some tries", lambda: api.lists > 9)
            assert not found.ready


async def test_all_namespaces_at_once_are_never_taken_for_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask_operator_autoscaler.watching.RETRY_SECONDS", 0.01)
    async with connected() as (api, kube):
        api.objects["daskautoscalers"] = [scaler()]
        async with watching(api, kube) as (found, _):
            api.lost = {"": 403}
            before = api.lists
            api.end_watches()
            await until("some tries", lambda: api.lists > before + 9)
            assert found.store.autoscalers.get("ns", "c")


async def test_an_api_server_that_is_away_is_tried_on_and_that_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dask_operator_autoscaler.watching.RETRY_SECONDS", 0.01)
    now = 0.0
    async with connected() as (api, kube), watching(api, kube, clock=lambda: now) as (found, _):
        now = 1000.0
        assert found.tried_ago == 1000
        api.lost = {"": 500}
        api.end_watches()
        await until("all to be tried", lambda: found.tried_ago == 0)


class CutOff:
    """Lists, and has each watch cut off after some seconds of a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self._seconds = seconds

    async def listing(self, kind: Kind, namespace: str) -> AsyncIterator[Chunk]:
        yield Chunk([], "7")

    async def watch(self, kind: Kind, version: str, namespace: str) -> AsyncIterator[Change]:
        yield Change("BOOKMARK", {})
        self.now += self._seconds
        raise errors.TryAgain("cut off")


@pytest.mark.parametrize(("held", "pauses"), [(60.0, [1, 1, 1, 1]), (0.0, [1, 2, 4, 8])])
async def test_only_watches_that_hold_for_no_time_are_tried_less_and_less_often(
    held: float, pauses: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unit = 0.001
    monkeypatch.setattr("dask_operator_autoscaler.watching.RETRY_SECONDS", unit)
    server: Any = CutOff(held)
    found = Watching(server, Store(), lambda home: None, lambda: None, lambda: server.now)
    task = asyncio.create_task(found._keep(Kind.CLUSTER, ""))
    await until("some tries", lambda: len(caplog.records) >= len(pauses))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told: list[Any] = [record.args for record in caplog.records[: len(pauses)]]
    assert [round(args[1] / unit) for args in told] == pauses


@pytest.mark.parametrize("lacking", [None, "TCP_USER_TIMEOUT"])
async def test_connections_find_out_that_the_server_is_gone(
    lacking: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], module._socket

    def note(address: object) -> socket.socket:
        made.append(make(address))
        return made[-1]

    monkeypatch.setattr(module, "_socket", note)
    wanted = {getattr(socket, name): value for name, value in module.LIVELY.items() if name != lacking}
    if lacking:
        monkeypatch.delattr(socket, lacking)
    async with connected() as (_, kube):
        await kube.lease("ns", "l").read()
        [connection] = made
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert {name: connection.getsockopt(socket.IPPROTO_TCP, name) for name in wanted} == wanted


async def test_a_watch_that_has_not_even_a_bookmark_to_tell_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.1)
    async with connected() as (api, kube), asyncio.timeout(5):
        assert [change async for change in kube.watch(Kind.CLUSTER, "7")] == []
        assert "allowWatchBookmarks=true" in api.calls[-1][1]


def test_outside_a_pod_there_is_no_service_account(tmp_path: Path) -> None:
    assert connection.in_pod({}, tmp_path) is None
    assert (
        connection.in_pod({"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}, tmp_path) is None
    )


def test_a_token_is_read_again_when_it_may_have_been_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    (tmp_path / "token").write_text("one\n")
    token = connection._TokenFile(tmp_path / "token")
    assert token.headers() == {"Authorization": "Bearer one"}
    (tmp_path / "token").write_text("two\n")
    assert token.headers() == {"Authorization": "Bearer one"}
    now += connection.TOKEN_SECONDS
    assert token.headers() == {"Authorization": "Bearer two"}


async def test_a_kubeconfig_is_used_outside_a_pod(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "secret-free"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    found = await connection.by_kubeconfig(str(tmp_path / "config"))
    assert found.host == "http://127.0.0.1:1"
    assert found.headers() == {"Authorization": "Bearer secret-free"}
