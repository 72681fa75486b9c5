"""A small world around the real pass over a job: an API server, kubelets and the cluster's own controller in memory.

Time moves only by :meth:`JobWorld.tick`. What must never happen is asserted where it would happen: in the fakes.
"""

import asyncio
import copy
from dataclasses import dataclass, field
from typing import Any, cast

from dask_operator.dask_scheduler import DaskSchedulers
from dask_operator.errors import ApiError, Conflict, NotFound, SchedulerUnreachable, Uncertain
from dask_operator.intake import Intake
from dask_operator.kube import Kube
from dask_operator.observed import DaskWorker
from dask_operator.observed.pods import pod_view
from dask_operator.plan.drains import rfc3339
from dask_operator.queue import KeyedQueue
from dask_operator.reconcile import Context, reconcile
from dask_operator.recorder import Recorder
from dask_operator.retirement import SchedulerDesk
from dask_operator.settings import Settings
from dask_operator.store import Key, Store
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section

from tests.unit.operator.job_worlds import job_body, scheduler_pod_body
from tests.unit.operator.worlds import NOW, WALL, owned_by

KEY = Key(Kind.JOB, "ns", "j")
MOST_PASSES = 40
"""More passes than this without time moving on is a hot loop."""

GRACE = 3
"""Seconds that a Pod takes to end when it is told to."""


class Crash(Exception):
    """The operator's process is killed."""


@dataclass
class Waiting:
    """Stands in for the queue: remembers only that the job is to be looked at."""

    keys: set[Key] = field(default_factory=set)

    def add(self, key: Key) -> None:
        self.keys.add(key)


class FakeSchedulers:
    """Dask schedulers: they answer while their Pod runs."""

    def __init__(self, world: "JobWorld") -> None:
        self._world = world

    async def workers(self, host: str, port: int, with_loads: bool) -> tuple[DaskWorker, ...]:
        if self._world.silent or not self._world.scheduler_runs():
            raise SchedulerUnreachable("connection refused")
        return ()


class FakeKube:
    """An API server: objects by kind and name, and the events that a watch would tell."""

    def __init__(self, world: "JobWorld") -> None:
        self._world = world
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.events: list[tuple[str, Manifest]] = []
        self.version = 10
        self.uids = 0
        self.crash_after: int | None = None
        self.timeouts: list[bool] = []
        """For the next writes that time out: whether each takes effect."""

    def put(self, kind: str, body: Manifest) -> Manifest:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[(kind, body["metadata"]["name"])] = body
        self.events.append(("MODIFIED", copy.deepcopy(body)))
        return copy.deepcopy(body)

    def drop(self, kind: str, name: str) -> None:
        body = self.objects.pop((kind, name), None)
        if body is None:
            return
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.events.append(("DELETED", body))

    def of_kind(self, kind: str) -> list[Manifest]:
        return [body for (of, _), body in self.objects.items() if of == kind]

    def make(self, kind: str, body: Manifest) -> Manifest:
        self.uids += 1
        made = copy.deepcopy(body)
        made["kind"] = kind
        made["metadata"] |= {"uid": f"uid-{self.uids}", "creationTimestamp": rfc3339(self._world.wall())}
        return self.put(kind, made)

    def _one_call(self) -> None:
        if self.crash_after is None:
            return
        self.crash_after -= 1
        if self.crash_after < 0:
            self.crash_after = None
            raise Crash

    def _write(self) -> bool:
        """Count a write; gives whether its answer gets lost."""
        self._one_call()
        outcome = self.timeouts.pop() if self.timeouts else None
        if outcome is False:
            raise Uncertain("timed out")
        return outcome is True

    async def get(self, kind: str, namespace: str, name: str) -> Manifest:
        self._one_call()
        if (kind, name) not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[(kind, name)])

    async def create(self, kind: str, body: Manifest) -> Manifest:
        lost = self._write()
        if (kind, body["metadata"]["name"]) in self.objects:
            raise Conflict("already exists")
        self._world.check_create(kind, body)
        answer = self.make(kind, body)
        if lost:
            raise Uncertain("timed out")
        return answer

    async def patch(
        self, kind: str, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        lost = self._write()
        held = self.objects.get((kind, name))
        if held is None:
            raise NotFound(name)
        for key in ("uid", "resourceVersion"):
            if body["metadata"].get(key, held["metadata"].get(key)) != held["metadata"].get(key):
                raise Conflict(f"{key} differs")
        changed = copy.deepcopy(held)
        part = subresource or "spec"
        changed[part] = merged(section(held, part), section(body, part))
        if kind == Kind.JOB:
            self._world.check_status(section(held, "status"), section(changed, "status"))
        answer = copy.deepcopy(held) if changed == held else self.put(kind, changed)
        if lost:
            raise Uncertain("timed out")
        return answer

    async def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool) -> str:
        self._one_call()
        return "the last line"

    async def delete(
        self, kind: str, namespace: str, name: str, uid: str, at_once: bool = False
    ) -> Manifest | None:
        lost = self._write()
        body = self.objects.get((kind, name))
        if body is not None and body["metadata"]["uid"] == uid:
            self._world.check_delete(kind, body)
            self._world.end(kind, name)
        if lost:
            raise Uncertain("timed out")
        return None


class JobWorld:
    """One job, the operator, and what happens to them."""

    def __init__(self, **spec: Any) -> None:
        self.seconds = 0.0
        self._readings = 0
        self.silent = False
        """Whether schedulers do not answer."""
        self.deaf_to: frozenset[str] = frozenset()
        """Kinds whose watches tell nothing, for now."""
        self.exits: dict[str, int] = {}
        """Runner → the exit code that its program will end with."""
        self.most_attempts = 0
        self.kube = FakeKube(self)
        self.kube.put("DaskJob", job_body(**spec))

    def clock(self) -> float:
        """Monotonic seconds; no two readings are the same."""
        self._readings += 1
        return NOW + self._elapsed()

    def wall(self) -> float:
        return WALL + self._elapsed()

    def _elapsed(self) -> float:
        return self.seconds + self._readings * 1e-6

    # -- the operator

    def start_operator(self) -> None:
        """A new process: it knows what a listing tells."""
        self.waiting = Waiting()
        self.due: float | None = None
        self.store = Store()
        queue, kube = cast(KeyedQueue, self.waiting), cast(Kube, self.kube)
        schedulers = cast(DaskSchedulers, FakeSchedulers(self))
        desk = SchedulerDesk(schedulers, self.waiting.add, self.clock)
        self.intake = Intake(self.store, queue, desk)
        recorder = Recorder(kube, "test")
        self.context = Context(
            Settings(), kube, self.store, self.intake, desk, recorder, self.clock, self.wall
        )
        self.kube.events.clear()
        for (kind, _), body in self.kube.objects.items():
            self.intake.saw(kind, copy.deepcopy(body))
        self.waiting.add(KEY)

    def deliver(self) -> None:
        """The watches tell what has happened."""
        heard = [told for told in self.kube.events if told[1]["kind"] not in self.deaf_to]
        self.kube.events = [told for told in self.kube.events if told[1]["kind"] in self.deaf_to]
        for event, body in heard:
            meta = body["metadata"]
            if event == "DELETED":
                self.intake.gone(body["kind"], "ns", meta["name"], meta["uid"], int(meta["resourceVersion"]))
            else:
                self.intake.saw(body["kind"], body)

    async def settle(self) -> int:
        """Let the operator work until it waits for something; gives how many passes that took."""
        for passes in range(MOST_PASSES):
            for _ in range(8):
                await asyncio.sleep(0)
            self.deliver()
            due = self.due is not None and self.due <= self.clock()
            if KEY not in self.waiting.keys and not due:
                return passes
            self.waiting.keys.clear()
            await self._pass()
        raise AssertionError(f"a hot loop: {MOST_PASSES} passes and no end")

    async def _pass(self) -> None:
        self.due = None
        try:
            again = await reconcile(self.context, KEY)
        except Crash:
            self.start_operator()
        except ApiError:
            self.due = self.clock() + 1
        else:
            self.due = None if again is None else self.clock() + again

    # -- what users and platforms do

    def edit(self, **spec: Any) -> None:
        body = copy.deepcopy(self.kube.objects.get(("DaskJob", "j"), {}))
        if body:
            body["spec"] |= spec
            body["metadata"]["generation"] += 1
            self.kube.put("DaskJob", body)

    def exit(self, exit_code: int) -> None:
        """The program that runs ends with this exit code."""
        for body in self.runners():
            if section(body, "status").get("phase") == "Running":
                self._finish(body, exit_code)

    def lose_runner(self) -> None:
        """Somebody deletes the runner."""
        for body in self.runners():
            if not pod_view(body).finished:
                self.end("Pod", body["metadata"]["name"])

    def evict_runner(self) -> None:
        """The node ends the runner."""
        for body in self.runners():
            if section(body, "status").get("phase") == "Running":
                self._finish(body, 137, reason="Evicted")

    def lose_scheduler(self, with_program: bool) -> None:
        """The scheduler's Pod is gone, and the program fails because of that, perhaps before anybody hears of it."""
        self.kube.drop("Pod", "j-scheduler")
        if with_program:
            self.exit(1)

    def delete_cluster(self) -> None:
        if ("DaskCluster", "j") in self.kube.objects:
            self.end("DaskCluster", "j")

    def end(self, kind: str, name: str) -> None:
        """What deleting does: a Pod that runs gets its grace period, and goes later."""
        body = self.kube.objects[(kind, name)]
        if kind == "Pod" and not pod_view(body).finished:
            body["metadata"].setdefault("deletionTimestamp", rfc3339(self.wall() + GRACE))
            self.kube.put("Pod", body)
            return
        self.kube.drop(kind, name)

    # -- time

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes: Pods get a step further, and the cluster's controller and garbage collection do their part."""
        self.seconds += seconds
        for body in self.kube.of_kind("Pod"):
            self._kubelet(body)
        self._collect()
        self._cluster_controller()

    def _kubelet(self, body: Manifest) -> None:
        name, status = body["metadata"]["name"], section(body, "status")
        deadline = body["metadata"].get("deletionTimestamp")
        if deadline:
            if pod_view(body).deadline <= self.wall():
                self.kube.drop("Pod", name)
        elif not status:
            self._start(body)
        elif status["phase"] == "Running" and body["spec"].get("activeDeadlineSeconds") == 1:
            self._finish(body, 143, reason="DeadlineExceeded")

    def _start(self, body: Manifest) -> None:
        body["spec"]["nodeName"] = "node-1"
        container = body["spec"]["containers"][0]["name"]
        body["status"] = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": container, "state": {"running": {"startedAt": rfc3339(self.wall())}}}
            ],
        }
        self.kube.put("Pod", body)

    def _finish(self, body: Manifest, exit_code: int, reason: str = "") -> None:
        in_place = body["spec"]["restartPolicy"] == "OnFailure" and exit_code and not reason
        if in_place:
            return  # it is started again at once, and nobody notices
        container = body["spec"]["containers"][0]["name"]
        ended = {"exitCode": exit_code, "finishedAt": rfc3339(self.wall()), "reason": "Ended"}
        body["status"] |= {
            "phase": "Failed" if exit_code else "Succeeded",
            "conditions": [],
            "containerStatuses": [{"name": container, "state": {"terminated": ended}}],
            **({"reason": reason} if reason else {}),
        }
        self.kube.put("Pod", body)

    def _collect(self) -> None:
        """Garbage collection: what has no owner any more goes, one step after its owner."""
        alive = {body["metadata"]["uid"] for body in self.kube.objects.values()}
        for (kind, name), body in list(self.kube.objects.items()):
            owners = items(body, "metadata", "ownerReferences")
            gone = owners and owners[0]["uid"] not in alive
            if gone and not body["metadata"].get("deletionTimestamp"):
                self.end(kind, name)

    def _cluster_controller(self) -> None:
        cluster = self.kube.objects.get(("DaskCluster", "j"))
        if cluster is None:
            return
        uid = cluster["metadata"]["uid"]
        owned = {
            "name": "j-scheduler",
            "namespace": "ns",
            "ownerReferences": owned_by("DaskCluster", uid, "j"),
        }
        label = {"dask.org/cluster-name": "j", "dask.org/component": "scheduler"}
        if ("Service", "j-scheduler") not in self.kube.objects:
            self.kube.make("Service", {"metadata": {**owned, "labels": label}})
        if ("Pod", "j-scheduler") not in self.kube.objects:
            body = scheduler_pod_body(owner=uid)
            del body["status"]
            self.kube.make("Pod", {**body, "metadata": {**owned, "labels": label}})
        elif self.scheduler_runs() and section(cluster, "status").get("workers") != {"connected": 2}:
            self.kube.put("DaskCluster", {**cluster, "status": {"workers": {"connected": 2}}})

    # -- what there is, and what must hold

    def runners(self) -> list[Manifest]:
        return [body for body in self.kube.of_kind("Pod") if body["metadata"]["name"] != "j-scheduler"]

    def alive_runners(self) -> list[str]:
        return [view.name for view in map(pod_view, self.runners()) if not view.finished]

    def scheduler_runs(self) -> bool:
        body = self.kube.objects.get(("Pod", "j-scheduler"))
        return body is not None and pod_view(body).serving

    @property
    def status(self) -> Manifest:
        return section(self.kube.objects.get(("DaskJob", "j")), "status")

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        held = next((c for c in items(self.status, "conditions") if c["type"] == kind), {})
        return (str(held.get("status", "")), str(held.get("reason", "")))

    @property
    def verdict(self) -> str:
        """The reason of the terminal condition; empty where there is none."""
        return verdict_in(self.status)

    def check_create(self, kind: str, body: Manifest) -> None:
        """Nothing is made that could meet what is left of an attempt before; and never two runners."""
        assert not self.verdict, f"{kind} was created for a job that has ended"
        assert ("DaskJob", "j") in self.kube.objects, "something was created for a job that is gone"
        assert not self.alive_runners(), f"{kind} was created while a runner is alive"
        numbers = [item["number"] for item in items(self.status, "attempts") if not item.get("outcome")]
        noted = body["metadata"]["annotations"]["kubernetes.dask.org/attempt"]
        assert [str(number) for number in numbers] == [noted], "an attempt was not stored before it was made"
        if kind == Kind.CLUSTER:
            left = [name for (_, name) in self.kube.objects if name == "j-scheduler"]
            assert not left, "a cluster was created while another's scheduler has its name"

    def check_delete(self, kind: str, body: Manifest) -> None:
        """What belongs to the attempt that goes on is not taken away; and a verdict comes before the cleaning."""
        present = [item["number"] for item in items(self.status, "attempts") if not item.get("outcome")]
        number = body["metadata"].get("annotations", {}).get("kubernetes.dask.org/attempt")
        assert number is None or int(number) not in present, f"{kind} of the present attempt was deleted"

    def check_status(self, before: Manifest, after: Manifest) -> None:
        if verdict_in(before):
            assert verdict_in(after) == verdict_in(before), "a verdict was changed"
            assert after.get("endTime") == before.get("endTime"), "the end was moved"
        known = [item["number"] for item in items(after, "attempts")]
        assert known == sorted(set(known)), "attempts out of order"
        told = {item["number"]: item for item in items(after, "attempts")}
        for item in items(before, "attempts"):
            again = told.get(item["number"], item)
            assert item.get("outcome") in (None, again.get("outcome")), "an attempt ended twice"
        self.most_attempts = max([self.most_attempts, *known])


def merged(held: Any, patch: Any) -> Any:
    """What a JSON merge patch makes of a value: mappings are merged all the way down, and nulls take keys away."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    base = dict(held) if isinstance(held, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value)
    return base


def verdict_in(status: Manifest) -> str:
    """The reason of the terminal condition in a status; empty where there is none."""
    ended = [
        c
        for c in items(status, "conditions")
        if c["type"] in ("Complete", "Failed") and c["status"] == "True"
    ]
    assert len(ended) < 2, "a job has both succeeded and failed"
    return str(ended[0]["reason"]) if ended else ""
