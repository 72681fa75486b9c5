"""What the API server has told us: one slim view of each object, and indexes over them.

Views come from watch events, from full listings and from the answers to our own writes, in any order: the newer
``resourceVersion`` wins, and an object that is gone stays gone.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator.observed import (
    AutoscalerView,
    BudgetView,
    ClusterView,
    GroupView,
    JobView,
    ObjectView,
    PodView,
    ServiceView,
)
from dask_operator.observed.objects import (
    autoscaler_view,
    budget_view,
    cluster_view,
    group_view,
    job_view,
    service_view,
)
from dask_operator.observed.pods import pod_view

_TOMBSTONES = 20_000

View = TypeVar("View", bound=ObjectView)


class Key(NamedTuple):
    """What is reconciled: one custom resource."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass
class Shelf(Generic[View]):
    """All objects of one kind."""

    parse: Callable[[Manifest], View]
    objects: dict[tuple[str, str], View] = field(default_factory=dict)
    _gone: "OrderedDict[str, int]" = field(default_factory=OrderedDict)

    def read(self, body: Manifest) -> View:
        """The view of an object as it came from the API server: the one held, if nothing was written since."""
        meta = body["metadata"]
        held = self.objects.get((meta.get("namespace", ""), meta["name"]))
        if held is not None and (held.uid, str(held.version)) == (
            meta.get("uid"),
            meta.get("resourceVersion"),
        ):
            return held
        return self.parse(body)

    def apply(self, view: View) -> tuple[View | None, View | None]:
        """Remember an object unless something newer is known.

        Gives the view held before and the view held now; they are the same object if nothing changed.
        """
        held = self.objects.get(view.identity)
        if view.version <= self._gone.get(view.uid, -1):
            return held, held
        if held is not None and held.version >= view.version:
            return held, held
        self.objects[view.identity] = view
        return held, view

    def remove(self, namespace: str, name: str, uid: str, version: int) -> View | None:
        """Forget an object that was gone at ``version``; gives what was held of it, if it was that very one."""
        self._bury(uid, version)
        held = self.objects.get((namespace, name))
        if held is None or held.uid != uid:
            return None
        del self.objects[(namespace, name)]
        return held

    def missing_from(self, listed: Iterable[ObjectView], version: int) -> list[View]:
        """The objects held that a listing taken at ``version`` no longer has."""
        present = {view.uid for view in listed}
        return [view for view in self.objects.values() if view.uid not in present and view.version <= version]

    def _bury(self, uid: str, version: int) -> None:
        """Remember the version of an object's end: only news later than that bring it back."""
        self._gone[uid] = max(version, self._gone.get(uid, -1))
        while len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)


class Store:
    """Every object of the operator's concern, with the questions that reconciling asks."""

    def __init__(self) -> None:
        self.clusters = Shelf[ClusterView](cluster_view)
        self.groups = Shelf[GroupView](group_view)
        self.jobs = Shelf[JobView](job_view)
        self.autoscalers = Shelf[AutoscalerView](autoscaler_view)
        self.pods = Shelf[PodView](pod_view)
        self.services = Shelf[ServiceView](service_view)
        self.budgets = Shelf[BudgetView](budget_view)
        self._pods_by_cluster: dict[tuple[str, str], dict[str, PodView]] = {}
        self._groups_by_cluster: dict[tuple[str, str], set[str]] = {}
        self._autoscalers_by_cluster: dict[tuple[str, str], set[str]] = {}

    def read(self, kind: str, body: Manifest) -> ObjectView:
        """The view of an object as it came from the API server."""
        return self.shelf(kind).read(body)

    def held(self, kind: str, namespace: str, name: str) -> ObjectView | None:
        """What is held of the object of that name."""
        return self.shelf(kind).objects.get((namespace, name))

    def apply(self, kind: str, view: ObjectView) -> ObjectView | None:
        """Remember an object; gives its view if that is news, else None."""
        before, after = self.shelf(kind).apply(view)
        if after is before:
            return None
        self._reindex(before, after)
        return after

    def remove(self, kind: str, namespace: str, name: str, uid: str, version: int) -> ObjectView | None:
        """Forget an object that was gone at ``version``; gives what was held of it."""
        held = self.shelf(kind).remove(namespace, name, uid, version)
        self._reindex(held, None)
        return held

    def leave(self, kind: str, namespace: str) -> list[ObjectView]:
        """Forget the objects of a namespace, so that they are news when they are seen again; gives their views."""
        shelf = self.shelf(kind)
        left = [view for view in shelf.objects.values() if view.namespace == namespace]
        for view in left:
            del shelf.objects[view.identity]
            self._reindex(view, None)
        return left

    def shelf(self, kind: str) -> Shelf[ObjectView]:
        """The objects of a kind that the operator watches."""
        shelves: dict[str, object] = {
            Kind.CLUSTER: self.clusters,
            Kind.WORKER_GROUP: self.groups,
            Kind.JOB: self.jobs,
            Kind.AUTOSCALER: self.autoscalers,
            "Pod": self.pods,
            "Service": self.services,
            "PodDisruptionBudget": self.budgets,
        }
        return shelves[kind]  # type: ignore[return-value]

    def cluster(self, namespace: str, name: str) -> ClusterView | None:
        """A cluster by name."""
        return self.clusters.objects.get((namespace, name))

    def group(self, namespace: str, name: str) -> GroupView | None:
        """A group by name."""
        return self.groups.objects.get((namespace, name))

    def job(self, namespace: str, name: str) -> JobView | None:
        """A job by name, which is that of its cluster too."""
        return self.jobs.objects.get((namespace, name))

    def groups_of(self, namespace: str, cluster: str) -> tuple[GroupView, ...]:
        """All groups that name a cluster, by name."""
        found = self._groups_by_cluster.get((namespace, cluster), set())
        return tuple(self.groups.objects[(namespace, name)] for name in sorted(found))

    def autoscalers_of(self, namespace: str, cluster: str) -> tuple[AutoscalerView, ...]:
        """All autoscalers that name a cluster, by name."""
        found = self._autoscalers_by_cluster.get((namespace, cluster), set())
        return tuple(self.autoscalers.objects[(namespace, name)] for name in sorted(found))

    def family(self, key: Key) -> Hashable:
        """What has places in the queue for itself: the groups of one cluster together, every other object alone."""
        group = self.group(key.namespace, key.name) if key.kind is Kind.WORKER_GROUP else None
        return group.family if group is not None else key

    def pods_of(self, namespace: str, cluster: str) -> tuple[PodView, ...]:
        """All Pods labelled with a cluster's name."""
        return tuple(self._pods_by_cluster.get((namespace, cluster), {}).values())

    def _reindex(self, before: ObjectView | None, after: ObjectView | None) -> None:
        for view in (before, after):
            if isinstance(view, PodView) and view.cluster:
                pods = self._pods_by_cluster.setdefault((view.namespace, view.cluster), {})
                pods.pop(view.name, None)
                if view is after:
                    pods[view.name] = view
                if not pods:
                    del self._pods_by_cluster[(view.namespace, view.cluster)]
            elif isinstance(view, GroupView):
                home = (view.namespace, view.spec.cluster)
                _index(self._groups_by_cluster, home, view.name, view is after)
            elif isinstance(view, AutoscalerView):
                home = (view.namespace, view.cluster)
                _index(self._autoscalers_by_cluster, home, view.name, view is after)


def _index(index: dict[tuple[str, str], set[str]], home: tuple[str, str], name: str, there: bool) -> None:
    """Note that an object of that name belongs to a cluster, or does no more."""
    names = index.setdefault(home, set())
    names.discard(name)
    if there:
        names.add(name)
    if not names:
        del index[home]


def keys_touched(store: Store, view: ObjectView) -> set[Key]:
    """The custom resources whose reconcile may come out differently because ``view`` has changed."""
    space = view.namespace
    if isinstance(view, ClusterView):
        groups = {Key(Kind.WORKER_GROUP, space, group.name) for group in store.groups_of(space, view.name)}
        return {Key(Kind.CLUSTER, space, view.name), *groups, *_job(store, space, view.name)}
    if isinstance(view, GroupView):
        return {Key(Kind.WORKER_GROUP, space, view.name), Key(Kind.CLUSTER, space, view.spec.cluster)}
    if isinstance(view, PodView):
        return _touched_by_pod(store, view)
    if isinstance(view, ServiceView):
        return {Key(Kind.CLUSTER, space, view.cluster), *_job(store, space, view.cluster)}
    if isinstance(view, BudgetView):
        return {Key(Kind.CLUSTER, space, view.cluster)}
    if isinstance(view, AutoscalerView):
        # of the cluster that it names, and in the way of one that has its name
        return {Key(Kind.CLUSTER, space, view.cluster), Key(Kind.CLUSTER, space, view.name)}
    return {Key(Kind.JOB, space, view.name)} if isinstance(view, JobView) else set()


def _touched_by_pod(store: Store, pod: PodView) -> set[Key]:
    space = pod.namespace
    if pod.component == labels.JOB_RUNNER:
        return _job(store, space, pod.cluster)
    touched = {Key(Kind.CLUSTER, space, pod.cluster)}
    if pod.group:
        touched.add(Key(Kind.WORKER_GROUP, space, pod.group))
        job = store.job(space, pod.cluster)
        # Of a job that is suspended nothing may run; to all others only the number of workers matters.
        return touched | (_job(store, space, pod.cluster) if job is not None and job.spec.suspend else set())
    # a scheduler: its state decides what can be asked of every group
    touched |= {Key(Kind.WORKER_GROUP, space, g.name) for g in store.groups_of(space, pod.cluster)}
    return touched | _job(store, space, pod.cluster)


def _job(store: Store, namespace: str, name: str) -> set[Key]:
    """The job whose cluster has that name, if there is one."""
    return {Key(Kind.JOB, namespace, name)} if store.job(namespace, name) is not None else set()
