"""What is said about the futures of a client whose connection to the scheduler broke.

distributed gives such futures up in words of its own. A KubeCluster knows more, so it gives them up in better words at
the very moment when distributed would.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from distributed import Client

REASON = "scheduler-connection-lost"
"""distributed's own word for it."""

ASK_SECONDS = 2.0
"""How long the scheduler may take to say that it still lives."""

ASK_AGAIN_SECONDS = 0.1


def attend(cluster: Any, explain: Callable[[], Awaitable[str]]) -> None:
    """Have every client of a cluster give up its futures in the words of ``explain`` when its connection breaks."""
    for client in list(Client._instances):
        if client.cluster is cluster and "_reconnect" not in vars(client):
            client._reconnect = functools.partial(_reconnect, client, client._reconnect, explain)


async def _reconnect(
    client: Any, original: Callable[[], Awaitable[None]], explain: Callable[[], Awaitable[str]]
) -> None:
    """What a client does instead of its own ``_reconnect``, which then finds no futures left to give up."""
    message = await explain()
    for state in list(client.futures.values()):
        state.cancel(reason=REASON, msg=message)
    client.futures.clear()
    await original()


async def same_scheduler(cluster: Any, before: str) -> bool | None:
    """Whether the scheduler is the one with that id; None where it does not answer."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return bool(await _id(cluster) == before)
    except TimeoutError:
        return None


async def _id(cluster: Any) -> str:
    while True:
        try:
            identity = await cluster.scheduler_comm.identity()
        except OSError:  # the connections that broke are found out one by one
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        else:
            return str(identity.get("id"))


def words(name: str, why: str, same: bool | None) -> str:
    """What to say about a lost future.

    >>> print(words("c", "reset by peer", None)[:81])
    The connection to the scheduler of c broke (reset by peer), and with it this futu
    """
    cause = f" ({why})" if why else ""
    if same:
        fate = (
            "The scheduler has lived on: published datasets are intact (client.get_dataset), this client is connected "
            "again in a moment, and work can be submitted anew."
        )
    elif same is None:
        fate = (
            "The scheduler cannot be asked at the moment. If it lives on, published datasets are intact "
            "(client.get_dataset). This client connects again as soon as it can."
        )
    else:
        fate = (
            "The scheduler was replaced by a new one: published datasets went with it. This client is connected to the "
            "new one in a moment, and work can be submitted anew."
        )
    return f"The connection to the scheduler of {name} broke{cause}, and with it this future. {fate}"
