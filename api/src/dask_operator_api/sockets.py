"""Sockets that notice that the other side is gone, even if nobody says so."""

import socket
from collections.abc import Mapping
from typing import Any


def lively_socket(address: Any, options: Mapping[str, int]) -> socket.socket:
    """A socket for an address as aiohttp gives it, kept alive.

    ``options`` of TCP are set by their names, such as ``TCP_KEEPIDLE``, as far as the platform knows them.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
