"""What is said about the futures of a client whose connection to the scheduler broke.

distributed gives such futures up when it notices that the connection has ended, in words of its own. A port-forward
knows more and knows earlier, so it gives them up in better words just before it lets the client notice.
"""

import asyncio
from typing import Any

from distributed import Client

REASON = "scheduler-connection-lost"
"""distributed's own word for it."""

ASK_SECONDS = 2.0
"""How long the scheduler may take to say that it still lives."""


def clients_on(cluster: Any, local_port: int) -> list[Any]:
    """The clients of a cluster whose connection comes from that local port."""
    mine = [client for client in list(Client._instances) if client.cluster is cluster]
    return [client for client in mine if client.status == "running" and _port(client) == local_port]


def _port(client: Any) -> int | None:
    comm = getattr(client.scheduler_comm, "comm", None)
    port = str(getattr(comm, "local_address", "")).rpartition(":")[2]
    return int(port) if port.isdigit() else None


async def same_scheduler(cluster: Any, before: str) -> bool | None:
    """Whether the scheduler is the one with that id; None where it does not answer."""
    try:
        identity = await asyncio.wait_for(cluster.scheduler_comm.identity(), ASK_SECONDS)
    except (OSError, TimeoutError):
        return None
    return bool(identity.get("id") == before)


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


def give_up(client: Any, message: str) -> None:
    """Cancel all futures of a client in these words; what distributed does next finds none left."""
    for state in list(client.futures.values()):
        state.cancel(reason=REASON, msg=message)
    client.futures.clear()
