"""Where news comes in: from watches, from listings, and from the answers to our own writes."""

from collections.abc import Iterable

from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator.desired.owner import OWNER_KINDS, Owner
from dask_operator.observed import ObjectView, PodView
from dask_operator.observed.pods import is_placement
from dask_operator.queue import KeyedQueue
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.store import Key, Store, keys_touched

BY_LABEL = ("Pod", "Service", "PodDisruptionBudget")
"""Kinds of which only those in :data:`SELECTOR` are of interest."""

WATCHED = (
    Kind.CLUSTER.value,
    Kind.WORKER_GROUP.value,
    Kind.JOB.value,
    Kind.AUTOSCALER.value,
    *BY_LABEL,
)
"""Kinds that the operator keeps in its store."""

PLACEMENT_SECONDS = 1.0
"""After that long at the latest it is looked at that a Pod has got a node: mostly it says more within a moment."""

COMPONENTS = (labels.SCHEDULER, labels.WORKER, labels.JOB_RUNNER)

SELECTOR = f"{labels.CLUSTER_NAME},{labels.COMPONENT} in ({','.join(COMPONENTS)})"
"""Pods, Services and budgets outside this selection never reach the operator."""


def version_of(meta: Manifest) -> int:
    """The resourceVersion in some metadata; 0 where it is not a number."""
    version = str(meta.get("resourceVersion", ""))
    return int(version) if version.isdigit() else 0


def gone_at(meta: Manifest) -> tuple[str, str, str, int]:
    """Namespace, name, uid and resourceVersion, from the metadata of an object that is gone."""
    return meta.get("namespace", ""), meta["name"], meta.get("uid", ""), version_of(meta)


def is_watched(kind: str, body: Manifest) -> bool:
    """Whether a change of this object would come to our notice."""
    if kind not in BY_LABEL:
        return True
    held = section(body, "metadata", "labels")
    return labels.CLUSTER_NAME in held and held.get(labels.COMPONENT) in COMPONENTS


def _edited(before: ObjectView | None, after: ObjectView) -> Key | None:
    """The custom resource that somebody has made, or written another spec into, if that is what has happened."""
    if not isinstance(after, Owner):
        return None
    if isinstance(before, Owner) and (before.uid, before.generation) == (after.uid, after.generation):
        return None
    return Key(OWNER_KINDS[type(after)], after.namespace, after.name)


class Intake:
    """Remembers what was seen, and queues whatever may come out differently because of it."""

    def __init__(self, store: Store, queue: KeyedQueue, desk: SchedulerDesk) -> None:
        self._store = store
        self._queue = queue
        self._desk = desk

    def read(self, kind: str, body: Manifest) -> ObjectView:
        """What is of interest of an object as it came from the API server."""
        return self._store.read(kind, body)

    def saw(self, kind: str, body: Manifest) -> bool:
        """An object exists, and looks like this. Gives whether that was news."""
        return self._there_is(kind, self.read(kind, body))

    def _there_is(self, kind: str, seen: ObjectView) -> bool:
        before = self._store.held(kind, *seen.identity)
        view = self._store.apply(kind, seen)
        if view is None:
            return False
        touched = keys_touched(self._store, view)
        if is_placement(before, view):
            for key in touched:
                self._queue.add_after(key, PLACEMENT_SECONDS)
        else:
            self._queue_all(touched, _edited(before, view))
        return True

    def gone(self, kind: str, namespace: str, name: str, uid: str, version: int) -> bool:
        """An object existed no more at ``version`` (a resourceVersion). Gives whether that was news."""
        held = self._store.remove(kind, namespace, name, uid, version)
        if held is None:
            return False
        if isinstance(held, PodView):
            self._desk.forget(held.uid)
        self._queue_all(keys_touched(self._store, held))
        return True

    def listed(
        self, kind: str, seen: list[ObjectView], version: int, namespace: str | None = None
    ) -> list[int]:
        """These, as :meth:`read`, are all the objects of a kind that there are, in ``namespace`` or anywhere.

        Gives the last known versions of those that were held and are gone.
        """
        missing = self._store.shelf(kind).missing_from(seen, version)
        vanished = [view for view in missing if namespace in (None, view.namespace)]
        for view in vanished:
            self.gone(kind, view.namespace, view.name, view.uid, version)
        for view in seen:
            self._there_is(kind, view)
        return [view.version for view in vanished]

    def leave(self, namespace: str) -> None:
        """Forget a namespace that is not looked after any more, without a word about whether its objects exist."""
        for kind in WATCHED:
            for view in self._store.leave(kind, namespace):
                if isinstance(view, PodView):
                    self._desk.forget(view.uid)
                self._queue_all(keys_touched(self._store, view))

    def queue_everything(self) -> None:
        """Have every cluster, group and job reconciled."""
        for cluster in self._store.clusters.objects.values():
            self._queue_all(keys_touched(self._store, cluster))
        for group in self._store.groups.objects.values():
            self._queue_all(keys_touched(self._store, group))
        for job in self._store.jobs.objects.values():
            self._queue_all(keys_touched(self._store, job))

    def _queue_all(self, keys: Iterable[Key], edited: Key | None = None) -> None:
        for key in keys:
            self._queue.add(key, key == edited)
