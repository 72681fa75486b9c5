"""Local TCP ports whose connections are carried to ports of a Pod.

Where a connection goes is the business of one function, ``dial``: it opens a :class:`Stream` to a port of
whichever Pod is the right one at that moment. So a replaced Pod needs nothing but a new connection.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from dask_operator_client.errors import ClusterError, ForwardFailed

HOST = "127.0.0.1"
CHUNK = 256 * 1024
LINGER_SECONDS = 1.0
"""How long the far side may stay silent after the near side ended its half before the connection is closed.

The carrier cannot tell the far side about one half's end; container runtimes allow the same second.
"""


class Stream(Protocol):
    """A connection to a port of a Pod."""

    async def send(self, data: bytes) -> None:
        """Send all of ``data``; waits while the far side does not read."""

    async def receive(self) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            ClusterError: the far side broke the connection, in its own words.
        """

    async def close(self) -> None:
        """Close both halves."""


Dial = Callable[[int], Awaitable[Stream]]


class PortForward:
    """Listens on local ports while it is open. All of it belongs to one event loop."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._closed = False
        self.last_error: ClusterError | None = None
        """Why a connection could not be carried, the last time that happened."""

    async def open(self, ports: Mapping[int, int]) -> dict[int, int]:
        """Listen for each of the Pod's ports, on the local port that goes with it or, for 0, on a free one.

        Gives the local port of each.

        Raises:
            ForwardFailed: a local port is taken.
        """
        local = {}
        for port, wanted in ports.items():
            try:
                server = await asyncio.start_server(self._handler(port), HOST, wanted, limit=CHUNK)
            except OSError as error:
                raise ForwardFailed(
                    f"cannot listen on the local port {wanted}: {error.strerror or error}"
                ) from error
            self._servers.append(server)
            local[port] = int(server.sockets[0].getsockname()[1])
        return local

    async def check(self, port: int) -> None:
        """Open a connection to ``port`` of the Pod and close it.

        Raises:
            ClusterError: it cannot be opened.
        """
        stream = await self._dial(port)
        await stream.close()

    async def close(self) -> None:
        """Stop listening and end all connections, also those that come meanwhile."""
        self._closed = True
        for server in self._servers:
            _deafen(server)
        await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        ended = dict(self._connections)
        for connection in ended:
            connection.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        for writer in ended.values():
            writer.transport.abort()  # what the near side has not read by now, nobody will
        await asyncio.sleep(0)

    def _handler(self, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._closed:
                writer.transport.abort()
                return
            task = asyncio.ensure_future(self._carry(port, reader, writer))
            self._connections[task] = writer
            task.add_done_callback(self._ended)

        return handle

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A connection's task is over, or was cancelled before it began."""
        self._connections.pop(task).transport.abort()  # one that is closed already is not touched by that
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "port-forward", "exception": error})

    async def _carry(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stream = await self._dial(port)
        except ClusterError as error:
            self.last_error = error
            return
        try:
            await relay(stream, reader, writer)
        except ClusterError as error:
            self.last_error = error
            writer.transport.abort()
        finally:
            writer.close()
            await stream.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()  # the near side may still have to read what was sent to it


def _deafen(server: asyncio.Server) -> None:
    """Take no new connection from the next turn of the loop on.

    One that was taken in the turn before a server's end would never be closed: asyncio cannot add it any more.
    """
    for listening in server.sockets:
        with contextlib.suppress(NotImplementedError):  # where loops have no readers, there are no such turns
            server.get_loop().remove_reader(listening.fileno())


async def relay(
    stream: Stream,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    linger: float = LINGER_SECONDS,
) -> None:
    """Carry bytes both ways until the far side ends, or the near side has and the far side falls silent.

    Raises:
        ClusterError: the far side broke the connection.
    """
    delivered = 0

    async def upward() -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await stream.send(data)

    async def downward() -> None:
        nonlocal delivered
        with contextlib.suppress(ConnectionError):
            while data := await stream.receive():
                delivered += len(data)
                writer.write(data)
                await writer.drain()

    up, down = asyncio.ensure_future(upward()), asyncio.ensure_future(downward())
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        before = -1
        while not down.done() and before != delivered:
            before = delivered
            await asyncio.wait({down}, timeout=linger)
        if down.done():
            await down
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
