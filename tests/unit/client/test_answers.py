"""Whether an address answers: at once, or after a while."""

import asyncio
import socket

import pytest
from dask_operator_client import connecting
from dask_operator_client.connecting import answers

HOST = "127.0.0.1"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other soon."""
    monkeypatch.setattr(connecting, "RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_what_is_new_is_tried_again_for_as_long_as_it_is_given() -> None:
    with socket.socket() as door:
        door.bind((HOST, 0))
        port = door.getsockname()[1]
        assert not await answers(HOST, port)
        assert not await answers(HOST, port, 0.05)
        asking = asyncio.create_task(answers(HOST, port, 10))
        await asyncio.wait({asking}, timeout=0.05)
        assert not asking.done()
        door.listen()
        assert await asking
