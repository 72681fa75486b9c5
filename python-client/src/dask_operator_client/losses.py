"""What is said about the futures of a client whose connection to the scheduler broke.

distributed gives such futures up in words of its own. A KubeCluster knows more, so it gives them up in better words at
the very moment when distributed would.
"""

import asyncio
import functools
from typing import Any, Protocol, runtime_checkable

from distributed import Client

REASON = "scheduler-connection-lost"
"""distributed's own word for it."""

ASK_SECONDS = 2.0
"""How long the scheduler may take to say that it still lives."""

ASK_AGAIN_SECONDS = 0.1


@runtime_checkable
class Explains(Protocol):
    """A cluster that can say what became of a connection to its scheduler."""

    async def explain_loss(self) -> str:
        """What to say about futures whose connection to the scheduler has just broken."""
        ...


def attend() -> None:
    """Have the clients of clusters that explain give up their futures in the clusters' words. Again: no effect.

    distributed offers no hook for that, and a client is known to nobody else before it is connected. So the method of
    all clients is wrapped; for those of other clusters nothing changes.
    """
    if Client._reconnect is not _reconnect:
        Client._reconnect = _reconnect


_original = Client._reconnect


@functools.wraps(_original)
async def _reconnect(client: Any) -> None:
    """What a client does instead of its own ``_reconnect``, which then finds no futures left to give up."""
    if isinstance(client.cluster, Explains):
        message = await client.cluster.explain_loss()
        for state in list(client.futures.values()):
            state.cancel(reason=REASON, msg=message)
        client.futures.clear()
    await _original(client)


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
