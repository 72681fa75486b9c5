"""What close() tells about a cluster that cannot be deleted."""

import threading
from typing import Any

import pytest
from dask_operator_client import KubeCluster, errors
from distributed.core import Status


class Undeletable:
    """The session of a cluster that was created here and may not be deleted."""

    created = True
    namespace = "ns"

    async def end(self, delete: bool) -> None:
        raise errors.RequestRefused("you may not delete", 403)


async def begin(cluster: KubeCluster) -> None:
    cluster._background.start()
    cluster._session = Undeletable()  # type: ignore[assignment]
    cluster.status = Status.running


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cluster is connected at once."""
    monkeypatch.setattr(KubeCluster, "_start", begin)


def made(**keywords: Any) -> KubeCluster:
    return KubeCluster(name="c", quiet=True, **keywords)


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
