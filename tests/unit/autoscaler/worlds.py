"""A world for the autoscaler without an API server: objects as they stand there, and a record of what is written."""

import copy
from collections.abc import Callable
from typing import Any

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items
from dask_operator_autoscaler.answers import Answers, Row
from dask_operator_autoscaler.errors import ApiError, Conflict, SchedulerUnreachable
from dask_operator_autoscaler.scheduler import Lane, Question
from dask_operator_autoscaler.store import Store
from dask_operator_autoscaler.visit import Visitor

HOME = ("ns", "c")


def dask_cluster(name: str = "c", ready: bool = True) -> Manifest:
    """A DaskCluster as the operator leaves it."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": f"uid-{name}"},
        "spec": {},
        "status": {"dashboardAddress": f"http://{name}.ns.svc:8787/status", "conditions": [condition]},
    }


def worker_group(name: str = "c-default", replicas: int = 0, **worker: Any) -> Manifest:
    """A DaskWorkerGroup of the cluster."""
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": f"uid-{name}"},
        "spec": {"cluster": "c", "worker": {"replicas": replicas, **worker}},
        "status": {"workers": {"connected": replicas}},
    }


def scaler(name: str = "c", created: str = "2026-11-22T00:00:00Z", **spec: Any) -> Manifest:
    """A DaskAutoscaler of the cluster, of 0 to 10 workers."""
    return {
        "metadata": {
            "namespace": "ns",
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "creationTimestamp": created,
        },
        "spec": {"cluster": "c", "minimum": 0, "maximum": 10, **spec},
    }


def crowd(count: int, busy: int = 0, group: str = "c-default") -> tuple[Row, ...]:
    """Workers of a group, each with ``busy`` tasks."""
    return tuple(
        Row(f"{group}-worker-{number:010x}", 1, busy, 10.0 * busy, 0, 0, 2**30) for number in range(count)
    )


class Kube:
    """Takes writes as the API server does, and shows them on the watch at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.objects: dict[tuple[Kind, str], Manifest] = {}
        self.events: list[Manifest] = []
        self.status_writes = 0
        self.refusal: ApiError | None = None
        self.version = 0
        self.lag = False
        """Whether the watch has stopped."""

    def put(self, kind: Kind, body: Manifest) -> None:
        """Have an object there."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[kind, body["metadata"]["name"]] = body
        if not self.lag:
            self._store.shelf(kind).put(copy.deepcopy(body))

    async def scale(self, namespace: str, group: str, replicas: int, version: str) -> str:
        if self.refusal is not None:
            raise self.refusal
        body = self.objects[Kind.WORKER_GROUP, group]
        if body["metadata"]["resourceVersion"] != version:
            raise Conflict("it has changed")
        body["spec"]["worker"]["replicas"] = replicas
        self.put(Kind.WORKER_GROUP, body)
        return str(self.version)

    async def write_status(self, namespace: str, name: str, uid: str, status: Manifest) -> None:
        body = self.objects[Kind.AUTOSCALER, name]
        assert body["metadata"]["uid"] == uid
        body["status"] = copy.deepcopy(status)
        self.status_writes += 1
        self.put(Kind.AUTOSCALER, body)

    async def tell(self, namespace: str, event: Manifest) -> None:
        self.events.append(event)

    def replicas(self, group: str = "c-default") -> int:
        """What the group is asked to have."""
        return int(self.objects[Kind.WORKER_GROUP, group]["spec"]["worker"]["replicas"])

    def condition(self, kind: str, name: str = "c") -> tuple[str, str]:
        """Status and reason of a condition of an autoscaler."""
        held = items(self.objects[Kind.AUTOSCALER, name], "status", "conditions")
        found = next(item for item in held if item["type"] == kind)
        return found["status"], found["reason"]

    @property
    def told(self) -> list[str]:
        """The reasons of all Events."""
        return [event["reason"] for event in self.events]


class Dask:
    """Answers for schedulers."""

    def __init__(self) -> None:
        self.target = 0
        self.rows: tuple[Row, ...] = ()
        self.silent = False
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while a scheduler is asked."""
        self.asked: list[tuple[str, Lane]] = []

    async def ask(self, base: str, questions: list[Question], only_group: str, lane: Lane) -> Answers:
        self.asked.append((base, lane))
        self.meanwhile()
        if self.silent:
            raise SchedulerUnreachable("nobody there")
        return Answers(self.target, tuple(row.name for row in self.rows), self.rows)


class World:
    """A cluster with a default group and an autoscaler, and a clock that stands still."""

    def __init__(self, **spec: Any) -> None:
        self.store = Store()
        self.kube = Kube(self.store)
        self.dask = Dask()
        self.now = 1_800_000_000.0
        self.kube.put(Kind.CLUSTER, dask_cluster())
        self.kube.put(Kind.WORKER_GROUP, worker_group())
        self.kube.put(Kind.AUTOSCALER, scaler(**spec))
        self.restart()

    def restart(self) -> None:
        """Have the autoscaler's process start anew: what it kept in mind is gone."""
        self.visitor = Visitor(self.store, self.kube, self.dask, lambda: self.now, "me")  # type: ignore[arg-type]

    async def visit(self, seconds: float = 5.0) -> float | None:
        """Let time pass, then visit."""
        self.now += seconds
        return await self.visitor.visit(HOME)

    def work(self, target: int, connected: int = 0, busy: int = 0) -> None:
        """What the scheduler says from now on."""
        self.dask.target, self.dask.rows = target, crowd(connected, busy)
