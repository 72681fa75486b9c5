"""Local connections are carried whole, both ways, and closed at the right time."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator

import pytest
from dask_operator_client import forward
from dask_operator_client.errors import ForwardFailed
from dask_operator_client.forward import HOST, PortForward

BIG = bytes(range(256)) * 40_000  # 10 MB


class TcpStream:
    """A stream to a local server, in place of one to a Pod. As through the API server, no half can be ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.closed = False

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(65536)

    async def close(self) -> None:
        self.closed = True
        self._writer.close()


class Pod:
    """A server that answers in one of some ways, and a forward to it."""

    def __init__(self) -> None:
        self.streams: list[TcpStream] = []
        self.refusal: ForwardFailed | None = None
        self.behave = self.echo
        self.forward = PortForward(self.dial)
        self.port = 0
        self.ended = asyncio.Event()
        self.server: asyncio.Server | None = None

    async def dial(self, port: int) -> TcpStream:
        if self.refusal is not None:
            raise self.refusal
        stream = TcpStream(*await asyncio.open_connection(HOST, port))
        self.streams.append(stream)
        return stream

    async def start(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await self.behave(reader, writer)
            writer.close()
            self.ended.set()

        self.server = await asyncio.start_server(handle, HOST, 0)
        remote = self.server.sockets[0].getsockname()[1]
        self.port = (await self.forward.open({remote: 0}))[remote]

    async def stop(self) -> None:
        await self.forward.close()
        if self.server is not None:
            self.server.close()

    @staticmethod
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    @staticmethod
    async def greet_and_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    pod = Pod()
    await pod.start()
    yield pod
    await pod.stop()


async def connect(pod: Pod) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, pod.port)


async def test_ten_megabytes_come_back_as_they_were_sent(pod: Pod) -> None:
    reader, writer = await connect(pod)
    sending = asyncio.create_task(send(writer, BIG))
    assert await asyncio.wait_for(reader.readexactly(len(BIG)), 20) == BIG
    await sending
    writer.close()


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_connections_do_not_mix(pod: Pod) -> None:
    async def talk(number: int) -> None:
        reader, writer = await connect(pod)
        words = str(number).encode() * 10_000
        await send(writer, words)
        assert await reader.readexactly(len(words)) == words
        writer.close()

    await asyncio.wait_for(asyncio.gather(*(talk(number) for number in range(20))), 20)


async def test_the_end_of_the_far_side_is_the_end_of_the_near_side(pod: Pod) -> None:
    pod.behave = pod.greet_and_end
    reader, writer = await connect(pod)
    assert await asyncio.wait_for(reader.read(), 5) == b"hello"
    writer.close()


async def test_the_end_of_the_near_side_reaches_the_far_side(pod: Pod) -> None:
    _, writer = await connect(pod)
    await send(writer, b"x")
    writer.close()
    await asyncio.wait_for(pod.ended.wait(), 5)


async def test_an_answer_still_arrives_after_the_near_side_ended_its_half(pod: Pod) -> None:
    reader, writer = await connect(pod)
    writer.write(BIG)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 20) == BIG
    writer.close()


async def test_a_pod_that_cannot_be_reached_ends_the_connection_and_is_remembered(pod: Pod) -> None:
    pod.refusal = ForwardFailed("no such Pod")
    reader, writer = await connect(pod)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert pod.forward.last_error is pod.refusal
    writer.close()


async def test_a_new_connection_goes_where_the_pod_is_then(pod: Pod) -> None:
    pod.refusal = ForwardFailed("the old Pod is gone")
    with contextlib.suppress(ConnectionError):
        reader, writer = await connect(pod)
        await reader.read()
        writer.close()
    pod.refusal = None
    reader, writer = await connect(pod)
    await send(writer, b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
    writer.close()


async def test_closing_ends_every_connection_and_closes_every_stream(pod: Pod) -> None:
    reader, writer = await connect(pod)
    await send(writer, b"x")
    await reader.readexactly(1)
    await pod.forward.close()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert all(stream.closed for stream in pod.streams)
    with pytest.raises(ConnectionError):
        await connect(pod)
    writer.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_while_it_closes_is_ended_too(pod: Pod, turns: int) -> None:
    gc.disable()  # it would close what was forgotten, some day
    try:
        with socket.create_connection((HOST, pod.port)) as late:
            late.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
            await pod.forward.close()
            with contextlib.suppress(ConnectionError):
                answer = asyncio.get_running_loop().sock_recv(late, 1)
                assert await asyncio.wait_for(answer, 5) == b""
    finally:
        gc.enable()


async def test_a_stream_that_breaks_cuts_the_connection_and_tells_why(pod: Pod) -> None:
    class Broken(TcpStream):
        async def receive(self) -> bytes:
            raise ForwardFailed("connection refused in the Pod")

    async def dial(port: int) -> TcpStream:
        return Broken(*await asyncio.open_connection(HOST, port))

    breaking = PortForward(dial)
    remote = pod.port
    local = (await breaking.open({remote: 0}))[remote]
    reader, writer = await asyncio.open_connection(HOST, local)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert "refused in the Pod" in str(breaking.last_error)
    writer.close()
    await breaking.close()


def test_a_closed_half_is_given_the_time_that_container_runtimes_give_it() -> None:
    assert forward.LINGER_SECONDS == 1.0


async def test_a_local_port_that_is_taken_is_told_by_its_number(pod: Pod) -> None:
    with pytest.raises(ForwardFailed, match=str(pod.port)):
        await PortForward(pod.dial).open({1: pod.port})


async def test_what_nobody_reads_keeps_no_connection_open_at_the_end(pod: Pod) -> None:
    flooding = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flooding.set()
        await send(writer, BIG)

    pod.behave = flood
    with socket.create_connection((HOST, pod.port)):
        await flooding.wait()
        [(carrying, writer)] = pod.forward._connections.items()
        await asyncio.wait({carrying}, timeout=0.3)
        assert writer.transport.get_write_buffer_size() > 0
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        await asyncio.sleep(0)
        assert writer.transport.get_write_buffer_size() == 0
