"""What users and the platform do to a job in the simulation; and what is true of its programs, whoever knows it.

Time moves only by :meth:`Platform.tick`.
"""

import copy
from typing import Any

from dask_operator.observed import PodView
from dask_operator.observed.pods import pod_view
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section
from dask_operator_api.times import rfc3339

from tests.unit.operator.job_api import FakeKube
from tests.unit.operator.job_worlds import job_body, scheduler_pod_body
from tests.unit.operator.worlds import WALL, owned_by

GRACE = 3
"""Seconds that a Pod takes to end when it is told to."""

SLOW = 4
"""Seconds that a cluster takes to go where a finalizer keeps it."""

STOP = 1
"""``activeDeadlineSeconds`` of a Pod that is to be stopped."""

FOREIGN = "j-runner-2"
"""The name of somebody else's Pod, which a second attempt would have."""

SCHEDULER = ("Pod", "j-scheduler")


class Platform:
    """Users, kubelets, the cluster's own controller and the garbage collector."""

    def __init__(self, **spec: Any) -> None:
        self.seconds = 0.0
        self._readings = 0
        self._spec = spec
        self.slow = False
        """Whether a finalizer keeps deleted clusters for a while."""
        self.dead: set[str] = set()
        """Uids of schedulers that run no more, whatever Kubernetes says."""
        self.reports: list[tuple[float, str]] = []
        """When Kubernetes finds out that a dead scheduler has no Pod any more."""
        self.works_with: dict[str, str] = {}
        """Uid of a runner → the scheduler's life that its program works with."""
        self.shut_down: set[str] = set()
        """Lives of schedulers that were told to end by their clients."""
        self.unnoted: set[str] = set()
        """Lives of schedulers that nobody had noted when their containers ended: they may never have worked."""
        self.own_failures: set[str] = set()
        """Uids of runners whose programs have failed by themselves."""
        self.done: set[str] = set()
        """Uids of runners whose programs have exited 0 before anybody told them to stop."""
        self.jobs = 1
        self.kube = FakeKube(self)
        self.kube.put("DaskJob", job_body(**copy.deepcopy(spec)))

    def wall(self) -> float:
        return WALL + self._elapsed()

    def _elapsed(self) -> float:
        return self.seconds + self._readings * 1e-6

    def check_create(self, kind: str, body: Manifest) -> None: ...

    def check_delete(self, kind: str, body: Manifest) -> None: ...

    def check_patch(self, kind: str, body: Manifest) -> None: ...

    def check_status(self, before: Manifest, after: Manifest) -> None: ...

    # -- what there is

    def runners(self) -> list[Manifest]:
        return [body for body in self.kube.of_kind("Pod") if _component(body) == "job-runner"]

    def alive_runners(self) -> list[str]:
        return [view.name for view in map(pod_view, self.runners()) if not view.finished]

    def _running(self) -> list[Manifest]:
        return [body for body in self.runners() if section(body, "status").get("phase") == "Running"]

    def scheduler(self) -> PodView | None:
        """The scheduler's Pod, if it truly serves."""
        body = self.kube.objects.get(SCHEDULER)
        view = pod_view(body) if body is not None else None
        return view if view is not None and view.serving and view.uid not in self.dead else None

    def _life(self) -> str:
        pod = self.scheduler()
        return f"{pod.uid}/{pod.restarts}" if pod is not None else ""

    # -- what users do

    def edit(self, **spec: Any) -> None:
        body = copy.deepcopy(self.kube.objects.get(("DaskJob", "j"), {}))
        if body:
            body["spec"] |= spec
            body["metadata"]["generation"] += 1
            self.kube.put("DaskJob", body)

    def delete_job(self, again: bool) -> None:
        """The job is deleted; if ``again``, another of the same name and spec is made at once."""
        self.kube.drop("DaskJob", "j")
        if again:
            self.jobs += 1
            body = job_body(**copy.deepcopy(self._spec))
            body["metadata"]["uid"] = f"job-uid-{self.jobs}"
            self.kube.put("DaskJob", body)

    def squat(self) -> None:
        """Somebody makes a Pod that has the name of the second runner."""
        if ("Pod", FOREIGN) not in self.kube.objects:
            self.kube.make("Pod", {"metadata": {"name": FOREIGN, "namespace": "ns"}, "spec": {}})

    def make_room(self) -> None:
        """That Pod goes."""
        held = self.kube.objects.get(("Pod", FOREIGN))
        if held is not None and not _component(held):
            self.kube.drop("Pod", FOREIGN)

    def delete_cluster(self) -> None:
        if ("DaskCluster", "j") in self.kube.objects:
            self.end("DaskCluster", "j")

    def end(self, kind: str, name: str) -> None:
        """What deleting does: a Pod that runs gets its grace period, and goes later; so may a cluster."""
        body = self.kube.objects[(kind, name)]
        waits = (kind == "Pod" and not pod_view(body).finished) or (kind == Kind.CLUSTER and self.slow)
        if not waits:
            self.kube.drop(kind, name)
        elif not body["metadata"].get("deletionTimestamp"):
            grace = GRACE if kind == "Pod" else SLOW
            body["metadata"]["deletionTimestamp"] = rfc3339(self.wall() + grace)
            self.kube.put(kind, body)

    # -- what becomes of the program

    def exit(self, exit_code: int) -> None:
        """The program that runs ends with this exit code."""
        for body in self._running():
            uid = body["metadata"]["uid"]
            if exit_code == 0 and not body["metadata"].get("deletionTimestamp"):
                self.done.add(uid)
            if exit_code and self._works_well(uid):
                self.own_failures.add(uid)
            self._finish(body, exit_code)

    def _works_well(self, runner: str) -> bool:
        """Whether a program has no reason to fail: the scheduler that it works with lives, or was told to end."""
        life = self.works_with.get(runner)
        return life is None or life in self.shut_down | self.unnoted or life == self._life()

    def lose_runner(self) -> None:
        """Somebody deletes the runner."""
        for body in self.runners():
            if not pod_view(body).finished:
                self.end("Pod", body["metadata"]["name"])

    def evict_runner(self) -> None:
        """The node ends the runner."""
        for body in self._running():
            self._finish(body, 137, reason="Evicted")

    def _finish(self, body: Manifest, exit_code: int, reason: str = "") -> None:
        container = body["spec"]["containers"][0]["name"]
        [report] = body["status"]["containerStatuses"]
        now = rfc3339(self.wall())
        ended = {"exitCode": exit_code, "finishedAt": now, "reason": "Ended"}
        if body["spec"]["restartPolicy"] == "OnFailure" and exit_code and not reason:
            report |= {"restartCount": report.get("restartCount", 0) + 1, "lastState": {"terminated": ended}}
            report["state"] = {"running": {"startedAt": now}}
            self.works_with.pop(body["metadata"]["uid"], None)
        else:
            good = exit_code == 0 and not reason
            body["status"] |= {
                "phase": "Succeeded" if good else "Failed",
                "conditions": [],
                "containerStatuses": [
                    {**report, "name": container, "ready": False, "state": {"terminated": ended}}
                ],
                **({"reason": reason} if reason else {}),
            }
        self.kube.put("Pod", body)

    # -- what becomes of the scheduler

    def lose_scheduler(self, how: str, with_program: bool) -> None:
        """The scheduler is lost, and the program fails because of that, perhaps before anybody hears of it."""
        pod = self.scheduler()
        if pod is None:
            return
        body = self.kube.objects[SCHEDULER]
        if how == "gone":
            self.kube.drop(*SCHEDULER)
        elif how == "deleted":
            self.end(*SCHEDULER)
            self.dead.add(pod.uid)
        elif how == "evicted":  # Dask's scheduler exits 0 when it is told to go
            self._finish(body, 0, reason="Evicted")
        elif how == "restarted":
            job = self.kube.objects.get(("DaskJob", "j"), {})
            noted = [item.get("schedulerUID") for item in items(section(job, "status"), "attempts")]
            self.unnoted |= {self._life()} - {f"{uid}/{pod.restarts}" for uid in noted}
            self._finish({**body, "spec": {**body["spec"], "restartPolicy": "OnFailure"}}, 1)
        else:  # its node is dead, which takes Kubernetes a while to find out
            self.dead.add(pod.uid)
            self.reports.append((self.seconds + 8, pod.uid))
        if with_program:
            self.exit(1)

    def shut_scheduler_down(self) -> None:
        """The program tells its scheduler to end."""
        life = self._life()
        if life and any(life == known for known in self.works_with.values()):
            self.shut_down.add(life)
            self._finish(self.kube.objects[SCHEDULER], 0)

    # -- time

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes: Pods get a step further, and the cluster's controller and garbage collection do their part."""
        self.seconds += seconds
        self._report()
        for body in self.kube.of_kind("Pod"):
            if _component(body):
                self._kubelet(body)
        cluster = self.kube.objects.get(("DaskCluster", "j"), {"metadata": {}})
        if cluster["metadata"].get("deletionTimestamp", "Z") <= rfc3339(self.wall()):
            self.kube.drop("DaskCluster", "j")
        self._collect()
        self._cluster_controller()
        pod = self.scheduler()
        for body in self._running() if pod is not None and pod.ready else []:
            self.works_with.setdefault(body["metadata"]["uid"], self._life())

    def _report(self) -> None:
        due = {uid for at, uid in self.reports if at <= self.seconds}
        held = self.kube.objects.get(SCHEDULER)
        if held is not None and held["metadata"]["uid"] in due:
            self.kube.drop(*SCHEDULER)
        self.reports = [report for report in self.reports if report[1] not in due]

    def _kubelet(self, body: Manifest) -> None:
        name, status = body["metadata"]["name"], section(body, "status")
        if body["metadata"].get("deletionTimestamp"):
            self._go(body)
        elif not status:
            self._start(body)
        elif status["phase"] == "Running" and body["spec"].get("activeDeadlineSeconds") == STOP:
            self._finish(body, 143, reason="DeadlineExceeded")
        elif name == "j-scheduler" and status["phase"] == "Running" and not pod_view(body).ready:
            body["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
            self.kube.put("Pod", body)

    def _go(self, body: Manifest) -> None:
        """A Pod that is being deleted: a scheduler ends well, and all Pods are gone after their grace period."""
        if pod_view(body).deadline <= self.wall():
            self.kube.drop("Pod", body["metadata"]["name"])
        elif _component(body) == "scheduler" and pod_view(body).running:
            self._finish(body, 0)

    def _start(self, body: Manifest) -> None:
        """A container starts; a scheduler is Ready a second later."""
        body["spec"]["nodeName"] = "node-1"
        scheduler = _component(body) == "scheduler"
        container = body["spec"]["containers"][0]["name"]
        state = {"running": {"startedAt": rfc3339(self.wall())}}
        body["status"] = {
            "phase": "Running",
            "podIP": body["metadata"]["uid"],
            "conditions": [{"type": "Ready", "status": "False" if scheduler else "True"}],
            "containerStatuses": [{"name": container, "state": state}],
        }
        self.kube.put("Pod", body)

    def _collect(self) -> None:
        """Garbage collection: what has no owner any more goes, one step after its owner."""
        alive = {body["metadata"]["uid"] for body in self.kube.objects.values()}
        for (kind, name), body in list(self.kube.objects.items()):
            owners = items(body, "metadata", "ownerReferences")
            if owners and owners[0]["uid"] not in alive:
                self.end(kind, name)

    def _cluster_controller(self) -> None:
        cluster = self.kube.objects.get(("DaskCluster", "j"))
        if cluster is None or cluster["metadata"].get("deletionTimestamp"):
            return
        body = self.kube.objects.get(SCHEDULER)
        self._tell_of_scheduler(cluster, pod_view(body) if body is not None else None)
        uid = cluster["metadata"]["uid"]
        owned = {
            "name": "j-scheduler",
            "namespace": "ns",
            "ownerReferences": owned_by("DaskCluster", uid, "j"),
        }
        label = {"dask.org/cluster-name": "j", "dask.org/component": "scheduler"}
        if ("Service", "j-scheduler") not in self.kube.objects:
            self.kube.make("Service", {"metadata": {**owned, "labels": label}})
        if body is None:
            made = scheduler_pod_body(owner=uid)
            del made["status"]
            self.kube.make("Pod", {**made, "metadata": {**owned, "labels": label}})
        elif pod_view(body).finished:
            self.end(*SCHEDULER)

    def _tell_of_scheduler(self, cluster: Manifest, pod: PodView | None) -> None:
        """The cluster's status: which scheduler it has, which it has lost, which was told to end."""
        status = section(cluster, "status")
        told = dict(section(status, "scheduler"))
        known = told.get("podUID")
        gone = pod is None or pod.uid != known or pod.deleting or pod.finished
        if known and gone and known != told.get("lostUID"):
            told |= {"lost": [*told.get("lost", []), rfc3339(self.wall())], "lostUID": known}
        if pod is not None and pod.owner == cluster["metadata"]["uid"]:
            told |= {"podUID": pod.uid, **({"endedWellUID": pod.uid} if pod.ended_well else {})}
        wanted = {"scheduler": told, **({"workers": {"connected": 2}} if self._life() else {})}
        if status != {**status, **wanted}:
            self.kube.put("DaskCluster", {**cluster, "status": {**status, **wanted}})


def _component(body: Manifest) -> str:
    return str(section(body, "metadata", "labels").get("dask.org/component") or "")
