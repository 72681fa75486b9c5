"""What there is in namespaces, as watches tell it, with a memory of every worker Pod that ever was."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from .api_server import ApiServer, path_of
from .kubectl import Tree

PLURALS = ("daskjobs", "daskclusters", "daskworkergroups", "services", "pods")
_OURS = {
    "daskjobs": "",
    "daskclusters": "",
    "daskworkergroups": "",
    "services": "dask.org/cluster-name",
    "pods": "",
}


@dataclass(frozen=True)
class Made:
    """A worker Pod that was created at some time."""

    name: str
    cluster: str
    """The uid of its cluster."""
    group: str
    index: int
    version: int
    """The ``resourceVersion`` of its creation."""


@dataclass
class World:
    """One namespace."""

    objects: dict[str, dict[str, Tree]] = field(default_factory=lambda: {plural: {} for plural in PLURALS})
    """Plural → name → object."""
    made: dict[str, Made] = field(default_factory=dict)
    """uid → worker Pod."""
    ended: dict[str, int] = field(default_factory=dict)
    """uid of a cluster → the ``resourceVersion`` at which it was gone."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def saw(self, plural: str, event: str, body: Tree) -> None:
        """Take in what a watch tells."""
        name = body["metadata"]["name"]
        if event == "DELETED":
            held = self.objects[plural].get(name)
            if held is not None and held["metadata"]["uid"] == body["metadata"]["uid"]:
                del self.objects[plural][name]
            if plural == "daskclusters":
                self.ended[body["metadata"]["uid"]] = int(body["metadata"]["resourceVersion"])
        else:
            self.objects[plural][name] = body
            if plural == "pods":
                self._note(body)
        self.news.set()

    def _note(self, pod: Tree) -> None:
        meta = pod["metadata"]
        index = meta.get("annotations", {}).get("kubernetes.dask.org/worker-index", "")
        if index and meta["uid"] not in self.made:
            labels = meta["labels"]
            cluster, group = labels["kubernetes.dask.org/cluster-uid"], labels["dask.org/workergroup-name"]
            self.made[meta["uid"]] = Made(
                meta["name"], cluster, group, int(index), int(meta["resourceVersion"])
            )

    @property
    def pods(self) -> list[Tree]:
        """All Pods that are there."""
        return list(self.objects["pods"].values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a cluster is there."""
        return not any(self.objects.values())


class Worlds:
    """All namespaces whose name begins with ``prefix``."""

    def __init__(self, api: ApiServer, prefix: str) -> None:
        self._api = api
        self._prefix = prefix
        self._worlds: dict[str, World] = defaultdict(World)

    def of(self, namespace: str) -> World:
        """One namespace."""
        return self._worlds[namespace]

    def all(self) -> dict[str, World]:
        """All namespaces of which something was ever seen."""
        return dict(self._worlds)

    async def follow(self, listed: Callable[[], None]) -> None:
        """Be up to date until cancelled; ``listed`` is called when everything was seen once."""
        done = [asyncio.Event() for _ in PLURALS]
        async with asyncio.TaskGroup() as group:
            for plural, event in zip(PLURALS, done, strict=True):
                group.create_task(self._follow(plural, event))
            for event in done:
                await event.wait()
            listed()

    async def _follow(self, plural: str, listed: asyncio.Event) -> None:
        def saw(event: str, body: Tree) -> None:
            namespace = body["metadata"]["namespace"]
            if namespace.startswith(self._prefix):
                self._worlds[namespace].saw(plural, event, body)

        await self._api.follow(path_of(plural), _OURS[plural], saw, listed)
