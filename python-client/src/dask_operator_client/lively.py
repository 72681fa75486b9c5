"""Sockets that notice within a minute that the other side is gone, even if nobody says so.

A port-forward may be silent for hours, and one whose network has gone says nothing either: by default, Linux takes two
hours to ask, and a quarter of an hour to give up what it has sent.
"""

import socket
from typing import Any

import dask
from dask.utils import parse_timedelta
from dask_operator_api import sockets

IDLE_SECONDS = 10
"""Silence after which the other side is asked whether it is there."""
INTERVAL_SECONDS = 3
TRIES = 3
MORE_SECONDS = 10
"""How much longer the other side may leave what it was sent than Dask allows for.

A side that is there but reads nothing is cut off as well: a busy scheduler, when much is sent to it. Dask has such a
limit of its own, with the same effect, and it is the one that a user knows and may raise. On Linux this limit takes the
place of the number of tries.
"""


def lively_socket(address: Any) -> socket.socket:
    """A socket for an address as aiohttp gives it, with as much of this as the platform knows."""
    return sockets.lively_socket(address, _options())


def _options() -> dict[str, int]:
    allowed = parse_timedelta(dask.config.get("distributed.comm.timeouts.tcp", "30s"), default="seconds")
    return {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPALIVE": IDLE_SECONDS,  # its name on macOS
        "TCP_KEEPINTVL": INTERVAL_SECONDS,
        "TCP_KEEPCNT": TRIES,
        "TCP_USER_TIMEOUT": int((allowed + MORE_SECONDS) * 1000),
    }
