"""Signs of life: the operator deletes a cluster with a time to live that has given none for so long."""

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable, Mapping

from dask_operator_api import labels

from dask_operator_client.errors import ClusterError, ClusterNotFound

log = logging.getLogger(__name__)

BEATS_PER_LIFE = 5
"""How often a sign of life is given within a time to live."""

Annotate = Callable[[Mapping[str, str | None]], Awaitable[None]]
NO_SIGNS: Mapping[str, str | None] = {labels.HEARTBEAT: None, labels.TIME_TO_LIVE: None}
"""The annotations of a cluster that nobody will miss."""


def first_signs(time_to_live: float) -> dict[str, str]:
    """The annotations with which a cluster is created."""
    return {labels.HEARTBEAT: now(), labels.TIME_TO_LIVE: f"{time_to_live:g}"}


class Heart:
    """Gives signs of life, from when it is made until it is stopped, through a function that annotates the cluster."""

    def __init__(self, annotate: Annotate, time_to_live: float) -> None:
        self._annotate = annotate
        self._beat_seconds = time_to_live / BEATS_PER_LIFE
        self._task = asyncio.create_task(self._beat())

    def stop(self) -> None:
        """Give no further one. Harmless when repeated."""
        self._task.cancel()

    async def _beat(self) -> None:
        """Give signs of life. One that fails is not repeated before the next is due: there are enough of them."""
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                await self._annotate({labels.HEARTBEAT: now()})
            except ClusterNotFound:
                return
            except ClusterError as error:
                log.warning("no sign of life could be given: %s", error)
            except Exception:  # without further signs the cluster is deleted, with the work in it
                log.exception("no sign of life could be given")


def now() -> str:
    """The time, as it stands in annotations."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
