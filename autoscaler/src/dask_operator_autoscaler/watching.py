"""Keeping the store like the API server's: list, watch, and list again, kind by kind, until cancelled."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator_autoscaler.errors import ApiError, Gone
from dask_operator_autoscaler.kube import Kube
from dask_operator_autoscaler.store import WATCHED, Identity, Store, identity_of

logger = logging.getLogger(__name__)

Watch = tuple[Kind, str]
"""A kind, and the namespace it is watched in; empty for all."""

RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 30.0


@dataclass
class Watching:
    """Feeds a store.

    Args:
        kube: calls to the API server.
        store: what is fed.
        edited: told the cluster of each autoscaler that was made or edited, once everything was listed.
        listed: called after each full listing.
        clock: monotonic seconds.
        spaces: the namespaces to watch; the empty name alone for all of them.
    """

    kube: Kube
    store: Store
    edited: Callable[[Identity], None]
    listed: Callable[[], None]
    clock: Callable[[], float]
    spaces: tuple[str, ...] = ("",)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything has been listed once."""
    _listed_at: dict[Watch, float] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether everything has been listed once."""
        return len(self._listed_at) == len(WATCHED) * len(self.spaces)

    @property
    def age(self) -> float:
        """Seconds since the kind that was listed longest ago was; 0 before the first listing."""
        return max((self.clock() - at for at in self._listed_at.values()), default=0.0)

    async def run(self) -> None:
        """Watch all kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in WATCHED:
                for space in self.spaces:
                    group.create_task(self._keep(kind, space))

    async def _keep(self, kind: Kind, space: str) -> None:
        pause = RETRY_SECONDS
        while True:
            try:
                await self._follow(kind, space, await self._list(kind, space))
                pause = RETRY_SECONDS
            except Gone as error:
                logger.debug("%s: %s", kind.plural, error)
            except ApiError as error:
                logger.warning("%s: trying again in %.0f s: %s", kind.plural, pause, error)
                await asyncio.sleep(pause)
                pause = min(LONGEST_RETRY_SECONDS, pause * 2)

    async def _list(self, kind: Kind, space: str) -> str:
        version, present = "", set()
        async for chunk in self.kube.listing(kind, space):
            version = chunk.version
            for body in chunk.items:
                self._put(kind, body)
                present.add(identity_of(body))
        self.store.shelf(kind).keep_only(present, space)
        self._listed_at[kind, space] = self.clock()
        if self.ready:
            self.known.set()
        self.listed()
        return version

    async def _follow(self, kind: Kind, space: str, version: str) -> None:
        async for change in self.kube.watch(kind, version, space):
            if change.type == "DELETED":
                self.store.shelf(kind).drop(change.body)
            elif change.type != "BOOKMARK":
                self._put(kind, change.body)

    def _put(self, kind: Kind, body: Manifest) -> None:
        namespace, name = identity_of(body)
        held = self.store.autoscalers.get(namespace, name)
        self.store.shelf(kind).put(body)
        now = self.store.autoscalers.get(namespace, name)
        if not self.ready or kind is not Kind.AUTOSCALER:
            return
        if now is not None and (held is None or held.spec != now.spec):
            for home in {now.home, held.home if held is not None else now.home}:
                self.edited((namespace, home))
