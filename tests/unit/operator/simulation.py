"""A small world around the real pass over a group: an API server, a kubelet and a Dask scheduler in memory.

Time moves only by :meth:`World.tick`. What must never happen is asserted where it would happen: in the fakes.
"""

import copy
from dataclasses import dataclass, field

from dask_operator.desired import worker_digest
from dask_operator.errors import Conflict, NotFound, Refused, SchedulerUnreachable, Uncertain
from dask_operator.observed import DaskWorker
from dask_operator.observed.objects import group_view
from dask_operator.observed.pods import pod_view
from dask_operator.store import Key
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.times import rfc3339

from tests.unit.operator.operating import Crash, Operating
from tests.unit.operator.worlds import NOW, WALL, cluster_body, group_body, scheduler_body

KEY = Key(Kind.WORKER_GROUP, "ns", "c-default")
LIMIT_SECONDS = 600


@dataclass
class FakeScheduler:
    """A Dask scheduler: the workers that it knows, by Pod name."""

    known: dict[str, str] = field(default_factory=dict)
    closing: set[str] = field(default_factory=set)
    silent: bool = False
    full: bool = False

    async def workers(self, host: str, port: int, with_loads: bool) -> tuple[DaskWorker, ...]:
        if self.silent:
            raise SchedulerUnreachable("connection refused")
        return tuple(DaskWorker(f"tcp://{ip}:40000", name, ip, results=1) for name, ip in self.known.items())

    async def retire(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        if self.silent:
            raise SchedulerUnreachable("connection refused")
        for name, ip in list(self.known.items()):
            if f"tcp://{ip}:40000" in addresses and not self.full:
                del self.known[name]
                self.closing.add(name)


class FakeKube:
    """An API server: objects by kind and name, and the events that a watch would tell."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.events: list[tuple[str, Manifest]] = []
        self.version = 10
        self.ever_created: set[tuple[str, str]] = set()
        self.crash_after: int | None = None
        self.timeouts: list[bool] = []
        """For the next creates that time out: whether each takes effect."""
        self.refusal: Refused | None = None

    def put(self, kind: str, body: Manifest) -> Manifest:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[(kind, body["metadata"]["name"])] = body
        self.events.append(("MODIFIED", copy.deepcopy(body)))
        return copy.deepcopy(body)

    def drop(self, kind: str, name: str) -> None:
        body = self.objects.pop((kind, name))
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.events.append(("DELETED", body))

    def pods(self) -> list[Manifest]:
        return [body for (kind, _), body in self.objects.items() if kind == "Pod"]

    def _one_call(self) -> None:
        if self.crash_after is None:
            return
        self.crash_after -= 1
        if self.crash_after < 0:
            self.crash_after = None
            raise Crash

    async def get(self, kind: str, namespace: str, name: str) -> Manifest:
        self._one_call()
        if (kind, name) not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[(kind, name)])

    async def create(self, kind: str, body: Manifest) -> Manifest:
        self._one_call()
        name = body["metadata"]["name"]
        if self.refusal is not None:
            self.refusal.kind = kind
            raise self.refusal
        outcome = self.timeouts.pop() if self.timeouts else None
        if outcome is False:
            raise Uncertain("timed out")
        if (kind, name) in self.objects:
            raise Conflict("already exists")
        assert (kind, name) not in self.ever_created, "a worker's name was given twice"
        self.ever_created.add((kind, name))
        made = copy.deepcopy(body)
        made["metadata"] |= {
            "uid": f"uid-of-{name}",
            "creationTimestamp": rfc3339(self._world.wall()),
        }
        answer = self.put(kind, made)
        self._world.check_number_of_pods()
        if outcome is True:
            raise Uncertain("timed out")
        return answer

    async def patch(
        self, kind: str, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        self._one_call()
        held = self.objects.get((kind, name))
        if held is None:
            raise NotFound(name)
        if section(body, "metadata").get("uid", held["metadata"]["uid"]) != held["metadata"]["uid"]:
            raise Conflict("the uid is another one's")
        changed = copy.deepcopy(held)
        changed["status"] = {**section(held, "status"), **copy.deepcopy(section(body, "status"))}
        self._world.note(changed)
        before = section(held, "status").get("draining") or []
        if changed == held:
            return copy.deepcopy(held)
        answer = self.put(kind, changed)
        if len(section(changed, "status").get("draining") or []) > len(before):
            self._world.check_running()
        return answer

    async def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool) -> str:
        self._one_call()
        return "the last line"

    async def delete(
        self, kind: str, namespace: str, name: str, uid: str, at_once: bool = False
    ) -> Manifest | None:
        self._one_call()
        body = self.objects.get((kind, name))
        if body is None or body["metadata"]["uid"] != uid:
            return None
        self._world.check_removal(name)
        return self.end(body)

    def end(self, body: Manifest) -> Manifest:
        """What deleting a Pod does: one that runs gets its grace period."""
        body["metadata"].setdefault("deletionTimestamp", rfc3339(self._world.wall()))
        view = pod_view(body)
        answer = self.put("Pod", body)
        if view.finished or not view.node:
            self.drop("Pod", view.name)
        return answer


class World(Operating):
    """One cluster with one group, the operator, and what happens to them."""

    key = KEY
    kube: FakeKube

    def __init__(self, replicas: int) -> None:
        self.seconds: float = 0.0
        self._readings = 0
        self.silent_since: float | None = None
        self.scheduler = FakeScheduler()
        self.kube = FakeKube(self)
        self.lives = 0
        self.broken = False
        """Whether workers of an edited template do not start."""
        self.seen_blocked: set[str] = set()
        """Messages of DrainBlocked, each time that it was written as True."""
        self.kube.put("DaskCluster", cluster_body(status={"image": "image"}))
        worker = {"drainTimeoutSeconds": LIMIT_SECONDS}
        self.kube.put("DaskWorkerGroup", group_body(replicas=replicas, worker=worker))
        self.new_scheduler()

    def clock(self) -> float:
        """Monotonic seconds; no two readings are the same."""
        self._readings += 1
        return NOW + self._elapsed()

    def wall(self) -> float:
        return WALL + self._elapsed()

    def _elapsed(self) -> float:
        return self.seconds + self._readings * 1e-6

    def schedulers(self) -> FakeScheduler:
        return self.scheduler

    # -- what happens

    def new_scheduler(self) -> None:
        """The scheduler Pod is replaced: its workers end by themselves."""
        self.lives += 1
        if ("Pod", "c-scheduler") in self.kube.objects:
            self.kube.drop("Pod", "c-scheduler")
        for name in list(self.scheduler.known):
            self._finish(self.kube.objects[("Pod", name)], 0)
        self.kube.put("Pod", scheduler_body(uid=f"scheduler-{self.lives}"))

    def scale(self, replicas: int) -> None:
        body = copy.deepcopy(self.kube.objects[("DaskWorkerGroup", "c-default")])
        body["spec"]["worker"]["replicas"] = replicas
        body["metadata"]["generation"] += 1
        self.kube.put("DaskWorkerGroup", body)

    def edit(self, number: int) -> None:
        """The user changes the workers' environment."""
        body = copy.deepcopy(self.kube.objects[("DaskWorkerGroup", "c-default")])
        body["spec"]["worker"]["env"] = [{"name": "VERSION", "value": str(number)}] if number else []
        body["metadata"]["generation"] += 1
        self.kube.put("DaskWorkerGroup", body)

    def silence(self, silent: bool) -> None:
        self.scheduler.silent = silent

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes: every Pod gets one step further."""
        self.seconds += seconds
        for body in self.workers():
            self._kubelet(body)

    def workers(self) -> list[Manifest]:
        return [body for body in self.kube.pods() if body["metadata"]["name"] != "c-scheduler"]

    def lose(self, nth: int) -> None:
        """A worker Pod is evicted."""
        running = [body for body in self.workers() if section(body, "status").get("phase") == "Running"]
        if running:
            self._finish(running[nth % len(running)], 137)

    def kill(self, nth: int) -> None:
        """Somebody deletes a worker Pod."""
        pods = self.workers()
        if pods:
            self.kube.end(pods[nth % len(pods)])

    def _kubelet(self, body: Manifest) -> None:
        name, status = body["metadata"]["name"], section(body, "status")
        if "deletionTimestamp" in body["metadata"]:
            self.scheduler.known.pop(name, None)
            self.kube.drop("Pod", name)
        elif not status:
            if not (self.broken and self._is_edited(body)):
                self._start(body)
        elif name in self.scheduler.closing:
            self._finish(body, 0)
        elif status["phase"] == "Running":
            self.scheduler.known[name] = status["podIP"]

    def _is_edited(self, body: Manifest) -> bool:
        return any(variable["name"] == "VERSION" for variable in body["spec"]["containers"][0]["env"])

    def _start(self, body: Manifest) -> None:
        number = body["metadata"]["annotations"]["kubernetes.dask.org/worker-index"]
        body["spec"]["nodeName"] = "node-1"
        state = {"running": {"startedAt": rfc3339(self.wall())}}
        body["status"] = {
            "phase": "Running",
            "podIP": f"10.0.{int(number) // 250}.{int(number) % 250}",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "worker", "state": state}],
        }
        self.kube.put("Pod", body)

    def _finish(self, body: Manifest, exit_code: int) -> None:
        self.scheduler.known.pop(body["metadata"]["name"], None)
        self.scheduler.closing.discard(body["metadata"]["name"])
        body["status"] |= {
            "phase": "Failed" if exit_code else "Succeeded",
            "conditions": [],
            "containerStatuses": [{"name": "worker", "state": {"terminated": {"exitCode": exit_code}}}],
        }
        self.kube.put("Pod", body)

    def note(self, group: Manifest) -> None:
        for condition in items(group, "status", "conditions"):
            if condition["type"] == "DrainBlocked" and condition["status"] == "True":
                self.seen_blocked.add(condition["message"])

    # -- what must hold

    @property
    def wanted(self) -> int:
        body = self.kube.objects[("DaskWorkerGroup", "c-default")]
        return int(body["spec"]["worker"]["replicas"])

    def alive(self) -> list[str]:
        return [view.name for view in map(pod_view, self.workers()) if view.alive]

    def on_their_way_out(self) -> dict[str, str]:
        body = self.kube.objects[("DaskWorkerGroup", "c-default")]
        return {item["pod"]: item["since"] for item in items(body, "status", "draining")}

    @property
    def template(self) -> str:
        body = self.kube.objects[("DaskWorkerGroup", "c-default")]
        return worker_digest(group_view(body).spec.worker, "")

    def outdated(self) -> list[str]:
        views = [view for view in map(pod_view, self.workers()) if view.alive]
        return [view.name for view in views if view.digest != self.template]

    def check_number_of_pods(self) -> None:
        going = self.on_their_way_out()
        staying = [name for name in self.alive() if name not in going]
        surge = 1 if any(name not in going for name in self.outdated()) else 0
        most = self.wanted + surge
        assert len(staying) <= most, f"{len(staying)} Pods, and {most} were asked for"

    def check_running(self) -> None:
        """While a template is rolled out, no worker goes before another has taken its place."""
        going = self.on_their_way_out()
        retired = [item for item in self._draining() if item.get("reason") == "Rollout"]
        ready = [v for v in map(pod_view, self.workers()) if v.ready and v.alive and v.name not in going]
        if len(retired) == 1 and len(going) == 1:
            assert len(ready) >= self.wanted, "a worker was chosen to go before its successor was there"

    def _draining(self) -> list[Manifest]:
        return items(self.kube.objects[("DaskWorkerGroup", "c-default")], "status", "draining")

    def check_removal(self, name: str) -> None:
        assert name not in self.scheduler.known, f"{name} was removed with its results"
