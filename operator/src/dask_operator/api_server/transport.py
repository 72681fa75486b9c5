"""HTTP sessions whose writes cannot outlive the right to make them.

A write is let through right before it is handed to the kernel, and what the kernel has been handed is delivered
within seconds or never: a process that is stopped, or whose packets are lost, must not have writes under way that
arrive after another operator has begun.
"""

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ClientRequest
from dask_operator_api.fence import Fence

READS = frozenset({"GET", "HEAD", "OPTIONS"})

UNACKNOWLEDGED_SECONDS = 4.0
"""How long the kernel tries to deliver what it was handed. Even while the process is stopped."""

SEND_BUFFER = 1 << 20
"""Bytes. A write fits in whole, so that no rest of it waits in the process until there is room."""

CLOSED = "this operator does not hold the Lease: the write was not sent"


class NotSent(aiohttp.ClientError):
    """The fence was closed: nothing of the request has left the process."""


def session(
    fence: Fence, server: str, context: ssl.SSLContext, connections: int, *middlewares: Any
) -> aiohttp.ClientSession:
    """A session with ``server`` whose writes pass ``fence``; with at most so many ``connections`` (0: any number)."""
    connector = aiohttp.TCPConnector(limit=connections, ssl=context, socket_factory=_socket)
    return aiohttp.ClientSession(
        connector=connector,
        proxy=proxy_to(server),
        read_bufsize=2**21,
        request_class=_fenced_request(fence),
        middlewares=middlewares,
    )


def proxy_to(server: str) -> str | None:
    """The proxy that the environment names for a server's URL, if any.

    Looked up once: aiohttp's ``trust_env`` does so for every request, in another thread, and that costs more than all
    else that it does for one.
    """
    url = urlsplit(server)
    return None if proxy_bypass(url.netloc) else getproxies().get(url.scheme)


def _socket(address: Any) -> socket.socket:
    """A socket that gives up undelivered data after seconds, and drops it at once when it is closed."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_SECONDS * 1000))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # Linger for 0 s: on, and no time.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    return made


def _fenced_request(fence: Fence) -> type[ClientRequest]:
    class FencedRequest(ClientRequest):
        """Asks the fence after it got its connection, and again where the body goes out."""

        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            if self._is_kept_in():
                raise NotSent(CLOSED)
            return await super().send(conn)

        async def write_bytes(
            self, writer: AbstractStreamWriter, conn: Any, content_length: int | None = None
        ) -> None:
            # The headers wait for the body: nothing has been sent before this.
            if self._is_kept_in():
                conn.protocol.set_exception(NotSent(CLOSED))
                conn.close()
                return
            await super().write_bytes(writer, conn, content_length)

        def _is_kept_in(self) -> bool:
            return self.method not in READS and fence.left() <= 0

    return FencedRequest
