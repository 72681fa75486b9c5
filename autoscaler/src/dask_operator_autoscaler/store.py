"""What the API server has told us, by kind: the autoscalers, and the clusters and groups they are about."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_autoscaler import observed
from dask_operator_autoscaler.observed import Autoscaler, Cluster, Group

Identity = tuple[str, str]
"""Namespace and name."""


class _View(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def home(self) -> str: ...


View = TypeVar("View", bound=_View)


class Shelf(Generic[View]):
    """All objects of one kind, by the cluster they belong to."""

    def __init__(self, parse: Callable[[Manifest], View]) -> None:
        self._parse = parse
        self._objects: dict[Identity, View] = {}
        self._homes: dict[Identity, dict[str, View]] = {}

    def put(self, body: Manifest) -> None:
        """Remember an object."""
        view = self._parse(body)
        self._take(view.namespace, view.name)
        self._objects[view.namespace, view.name] = view
        self._homes.setdefault((view.namespace, view.home), {})[view.name] = view

    def drop(self, body: Manifest) -> None:
        """Forget an object that is gone."""
        metadata = section(body, "metadata")
        self._take(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))

    def keep_only(self, identities: Iterable[Identity], space: str = "") -> None:
        """Forget all other objects, of the namespace ``space`` if it is given."""
        for namespace, name in set(self._objects).difference(identities):
            if space in ("", namespace):
                self._take(namespace, name)

    def get(self, namespace: str, name: str) -> View | None:
        """An object by name."""
        return self._objects.get((namespace, name))

    def of(self, home: Identity) -> list[View]:
        """The objects that belong to a cluster, by name."""
        held = self._homes.get(home, {})
        return [held[name] for name in sorted(held)]

    def __len__(self) -> int:
        return len(self._objects)

    def homes(self) -> list[Identity]:
        """The clusters that objects belong to."""
        return list(self._homes)

    def _take(self, namespace: str, name: str) -> None:
        held = self._objects.pop((namespace, name), None)
        if held is None:
            return
        home = self._homes[namespace, held.home]
        del home[name]
        if not home:
            del self._homes[namespace, held.home]


class Store:
    """Every object of concern."""

    def __init__(self) -> None:
        self.clusters = Shelf[Cluster](observed.cluster)
        self.groups = Shelf[Group](observed.group)
        self.autoscalers = Shelf[Autoscaler](observed.autoscaler)

    def shelf(self, kind: Kind) -> Shelf[Cluster] | Shelf[Group] | Shelf[Autoscaler]:
        """The objects of a kind."""
        if kind is Kind.CLUSTER:
            return self.clusters
        return self.groups if kind is Kind.WORKER_GROUP else self.autoscalers


WATCHED = (Kind.CLUSTER, Kind.WORKER_GROUP, Kind.AUTOSCALER)
"""What the autoscaler reads."""
