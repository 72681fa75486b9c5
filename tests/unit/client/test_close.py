"""What close() tells about a cluster that cannot be deleted, and those who wait for the cluster in other threads."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dask_operator_client import KubeCluster, errors
from distributed.core import Status


class FakeSession:
    """The session of a cluster to which no worker comes, and which may not be deleted."""

    namespace = "ns"

    def __init__(self, created: bool) -> None:
        self.created = created
        self.waited_for = threading.Event()

    async def until_ready(self, *_: Any) -> None:
        self.waited_for.set()
        try:
            await asyncio.Event().wait()
        finally:
            time.sleep(0.2)  # noqa: ASYNC251  # those who wait are told without waiting for this

    async def end(self, delete: bool) -> bool:
        if delete:
            raise errors.RequestRefused("you may not delete", 403)
        return True


async def begin(cluster: KubeCluster) -> None:
    cluster._background.start()
    cluster._session = FakeSession(created=cluster.name != "found")  # type: ignore[assignment]
    cluster.status = Status.running


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cluster is connected at once."""
    monkeypatch.setattr(KubeCluster, "_start", begin)


def made(name: str = "c", **keywords: Any) -> KubeCluster:
    return KubeCluster(name=name, quiet=True, **keywords)


def test_close_raises_that_the_cluster_could_not_be_deleted_and_stops_its_loop() -> None:
    before = set(threading.enumerate())
    cluster = made()
    with pytest.raises(errors.RequestRefused, match="you may not delete"):
        cluster.close()
    loops = [thread for thread in set(threading.enumerate()) - before if thread.name == "IO loop"]
    assert loops == []
    cluster.close()


def test_the_end_of_a_with_block_raises_it_too() -> None:
    with pytest.raises(errors.RequestRefused, match="you may not delete"), made():
        pass


def test_an_error_of_the_with_block_itself_is_the_one_to_raise(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError, match="the user's"), made():
        raise KeyError("the user's")
    assert "you may not delete" in caplog.text


async def test_the_same_holds_with_await(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(errors.RequestRefused, match="you may not delete"):
        async with made(asynchronous=True):
            pass
    with pytest.raises(KeyError, match="the user's"):
        async with made(asynchronous=True):
            raise KeyError("the user's")
    assert "you may not delete" in caplog.text


def test_a_loop_that_was_closed_while_the_process_ends_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = made()

    def closed(*args: Any, **keywords: Any) -> None:
        raise RuntimeError("IOLoop is closed")

    monkeypatch.setattr(cluster, "sync", closed)
    assert cluster.close() is None
    cluster.status = Status.closed
    cluster._background.stop()


def test_who_waits_in_another_thread_is_told_that_the_cluster_was_closed() -> None:
    cluster = made("found")
    session: Any = cluster._session
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(cluster.wait_for_workers, 1)
        assert session.waited_for.wait(5)
        cluster.close()
        with pytest.raises(errors.ClusterError, match="KubeCluster found was closed meanwhile"):
            waiting.result(10)
