"""A way to the API server that can be cut, as a network is."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml

HOST = "127.0.0.1"
CHUNK = 256 * 1024


class Wire:
    """Carries bytes to the API server and back, unread, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._ends: set[asyncio.StreamWriter] = set()
        self._whole = True
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        """Stop for good."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> int:
        """End every connection at once, without a goodbye; gives how many there were. New ones can be made."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def block(self) -> None:
        """Cut, and take no new connection until :meth:`mend`."""
        self._whole = False
        self.cut()

    def mend(self) -> None:
        """Take connections again."""
        self._whole = True

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, HOST, 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _cut(self) -> int:
        ends, self._ends = self._ends, set()
        for end in ends:
            end.transport.abort()
        return len(ends) // 2

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target, limit=CHUNK)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._ends -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def cuttable(kubeconfig: Path, into: Path) -> Iterator[Wire]:
    """A wire, and in ``into`` a copy of ``kubeconfig`` that leads over it."""
    config = yaml.safe_load(kubeconfig.read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    wire = Wire(str(server.hostname), server.port or 443)
    wire.start()
    config["clusters"][0]["cluster"] |= {
        "server": f"https://{HOST}:{wire.port}",
        "tls-server-name": server.hostname,
    }
    into.write_text(yaml.safe_dump(config))
    try:
        yield wire
    finally:
        wire.stop()
