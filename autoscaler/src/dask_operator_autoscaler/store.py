"""What the API server has told us, by kind: the autoscalers, and the clusters and groups they are about."""

import logging
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_autoscaler import observed
from dask_operator_autoscaler.observed import Autoscaler, Cluster, Group

logger = logging.getLogger(__name__)

Identity = tuple[str, str]
"""Namespace and name."""

_UNREADABLE = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError)
"""What reading an object fails with that is not what it should be."""


def identity_of(body: Manifest) -> Identity:
    """The namespace and name of an object."""
    metadata = section(body, "metadata")
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


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

    def __init__(self, kind: Kind, parse: Callable[[Manifest], View]) -> None:
        self._kind = kind
        self._parse = parse
        self._objects: dict[Identity, View] = {}
        self._homes: dict[Identity, dict[str, View]] = {}
        self._unreadable: dict[Identity, str] = {}
        """Objects that are left out, each with the version that was complained about."""

    def put(self, body: Manifest) -> None:
        """Remember an object. One that cannot be read is left out, and the log says so once for each version of it."""
        try:
            view = self._parse(body)
        except _UNREADABLE:  # one object's trouble must not end the work for all others
            self._leave_out(body)
            return
        self._unreadable.pop((view.namespace, view.name), None)
        self._take(view.namespace, view.name)
        self._objects[view.namespace, view.name] = view
        self._homes.setdefault((view.namespace, view.home), {})[view.name] = view

    def drop(self, body: Manifest) -> None:
        """Forget an object that is gone."""
        identity = identity_of(body)
        self._unreadable.pop(identity, None)
        self._take(*identity)

    def keep_only(self, identities: Iterable[Identity], space: str = "") -> None:
        """Forget all other objects, of the namespace ``space`` if it is given."""
        for namespace, name in {*self._objects, *self._unreadable}.difference(identities):
            if space in ("", namespace):
                self._unreadable.pop((namespace, name), None)
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

    def _leave_out(self, body: Manifest) -> None:
        identity = identity_of(body)
        self._take(*identity)
        version = str(section(body, "metadata").get("resourceVersion") or "")
        if self._unreadable.get(identity) != version:
            logger.exception("%s %s/%s cannot be read, and is left out", self._kind, *identity)
        self._unreadable[identity] = version

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
        self.clusters = Shelf[Cluster](Kind.CLUSTER, observed.cluster)
        self.groups = Shelf[Group](Kind.WORKER_GROUP, observed.group)
        self.autoscalers = Shelf[Autoscaler](Kind.AUTOSCALER, observed.autoscaler)

    def shelf(self, kind: Kind) -> Shelf[Cluster] | Shelf[Group] | Shelf[Autoscaler]:
        """The objects of a kind."""
        if kind is Kind.CLUSTER:
            return self.clusters
        return self.groups if kind is Kind.WORKER_GROUP else self.autoscalers


WATCHED = (Kind.CLUSTER, Kind.WORKER_GROUP, Kind.AUTOSCALER)
"""What the autoscaler reads."""
