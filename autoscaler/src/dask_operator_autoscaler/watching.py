"""Keeping the store like the API server's: list, watch, and list again, kind by kind, until cancelled."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator_autoscaler.errors import ApiError, Gone, NotFound, Refused
from dask_operator_autoscaler.kube import Kube
from dask_operator_autoscaler.store import WATCHED, Identity, Store, identity_of

logger = logging.getLogger(__name__)

Watch = tuple[Kind, str]
"""A kind, and the namespace it is watched in; empty for all."""

RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 30.0
LEFT_OUT_SECONDS = 30.0
"""Between two looks at a namespace that is left out."""


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
    """Set when everything has been listed once, namespaces aside that are left out; something has to be left."""
    _listed: set[Watch] = field(default_factory=set)
    _left_out: set[Watch] = field(default_factory=set)
    _tried_at: dict[Watch, float] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether everything is known, once and for all."""
        return self.known.is_set()

    @property
    def tried_ago(self) -> float:
        """Seconds since the last try to list what was tried longest ago, successful or not; 0 before the first."""
        return max((self.clock() - at for at in self._tried_at.values()), default=0.0)

    async def run(self) -> None:
        """Watch all kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in WATCHED:
                for space in self.spaces:
                    group.create_task(self._keep(kind, space))

    async def _keep(self, kind: Kind, space: str) -> None:
        pause = RETRY_SECONDS
        while True:
            began = math.inf
            try:
                version = await self._list(kind, space)
                if version is None:
                    await asyncio.sleep(LEFT_OUT_SECONDS)
                    continue
                began = self.clock()
                await self._follow(kind, space, version)
                pause = RETRY_SECONDS
            except Gone as error:
                logger.debug("%s: %s", kind.plural, error)
            except ApiError as error:
                if self.clock() - began >= pause:
                    # Something on the way cuts watches off, and the server is well.
                    pause = RETRY_SECONDS
                logger.warning("%s: trying again in %.0f s: %s", kind.plural, pause, error)
                await asyncio.sleep(pause)
                pause = min(LONGEST_RETRY_SECONDS, pause * 2)

    async def _list(self, kind: Kind, space: str) -> str | None:
        """Have the store hold what there is; gives where a watch goes on from, or None: the namespace is left out.

        Raises:
            ApiError: the API server did not list, and what is held stays. A refusal is one of these only where all
                namespaces are listed at once: then it is not one of them that is lost.
        """
        self._tried_at[kind, space] = self.clock()
        try:
            version, present = await self._take_in(kind, space)
            self._note((kind, space), "")
        except (Refused, NotFound) as error:
            if not space:
                raise
            version, present = None, set()
            self._note((kind, space), str(error))
        self.store.shelf(kind).keep_only(present, space)
        if self._listed and len(self._listed | self._left_out) == len(WATCHED) * len(self.spaces):
            self.known.set()
        self.listed()
        return version

    async def _take_in(self, kind: Kind, space: str) -> tuple[str, set[Identity]]:
        version, present = "", set()
        async for chunk in self.kube.listing(kind, space):
            version = chunk.version
            for body in chunk.items:
                self._put(kind, body)
                present.add(identity_of(body))
        return version, present

    def _note(self, watch: Watch, problem: str) -> None:
        """Take note of what keeps a namespace from being listed: it counts as empty, and no other waits for it."""
        kind, space = watch
        if problem and watch not in self._left_out:
            logger.error("namespace %s is left out, its %s cannot be listed: %s", space, kind.plural, problem)
        elif not problem and watch in self._left_out:
            logger.warning("namespace %s: its %s are looked after again", space, kind.plural)
        if problem:
            self._left_out.add(watch)
        else:
            self._left_out.discard(watch)
            self._listed.add(watch)

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
