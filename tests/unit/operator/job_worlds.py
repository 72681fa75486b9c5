"""Small worlds for the tests of jobs: a job `j`, its cluster, scheduler and runner."""

from typing import Any

from dask_operator.observed import ClusterView, JobView, PodView, Roster, ServiceView
from dask_operator.observed.objects import cluster_view, job_view, service_view
from dask_operator.observed.pods import pod_view
from dask_operator.plan.attempts import JobAttempt
from dask_operator.plan.cluster_world import Create, Delete, Patch
from dask_operator.plan.job_world import JobObserved, JobPlan
from dask_operator_api.conditions import Outcome
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from tests.unit.operator.worlds import NOW, WALL, cluster_body, owned_by

JOB_UID = "job-uid"
JOB_CLUSTER_UID = "job-cluster-uid"
SCHEDULER_UID = "job-scheduler-uid"
RUNNER_UID = "runner-uid-1"


def job_body(status: Manifest | None = None, pod: Manifest | None = None, **spec: Any) -> Manifest:
    """A DaskJob; ``pod`` adds to the runner's template, ``spec`` to the job's own fields."""
    metadata = {"name": "j", "namespace": "ns", "uid": JOB_UID, "resourceVersion": "1", "generation": 1}
    metadata |= spec.pop("metadata", {})
    template = {"containers": [{"name": "program", "image": "program:1"}], **(pod or {})}
    job = {"spec": template, **spec.pop("job", {})}
    cluster = {"spec": {"worker": {"replicas": 2}}, **spec.pop("cluster", {})}
    return {
        "kind": "DaskJob",
        "metadata": metadata,
        "spec": {"job": job, "cluster": cluster, **spec},
        "status": status or {},
    }


def job(status: Manifest | None = None, pod: Manifest | None = None, **spec: Any) -> JobView:
    return job_view(job_body(status, pod, **spec))


def attempt(number: int = 1, **parts: Any) -> JobAttempt:
    """An attempt that has a cluster and a runner which runs since a minute; each part can be given."""
    begun = {
        "runner": "j-runner" if number == 1 else f"j-runner-{number}",
        "began": WALL - 70,
        "cluster_uid": JOB_CLUSTER_UID,
        "runner_uid": f"runner-uid-{number}",
        "started": WALL - 60,
        "scheduler_uid": SCHEDULER_UID,
    }
    return JobAttempt(number, **{**begun, **parts})


def status_of(*attempts: JobAttempt, active: float | None = 100.0, **more: Any) -> Manifest:
    """The status of a job that has been active for ``active`` seconds."""
    template = job_body()["spec"]
    return {
        "attempts": [one.as_status() for one in attempts],
        "activeSince": rfc3339(WALL - active) if active is not None else None,
        "startTime": rfc3339(WALL - 60),
        "template": {"job": template["job"], "cluster": template["cluster"]},
        "templateGeneration": 1,
        **more,
    }


def verdict(kind: str, reason: str, ago: float = 0.0) -> list[Manifest]:
    """The conditions of a job that ended so, ``ago`` seconds ago."""
    since = rfc3339(WALL - ago)
    return [{"type": kind, "status": "True", "reason": reason, "message": "so", "lastTransitionTime": since}]


def job_cluster_view(number: int = 1, uid: str = JOB_CLUSTER_UID, **parts: Any) -> ClusterView:
    """The job's cluster, made for that attempt, with two workers connected."""
    metadata = {
        "annotations": {"kubernetes.dask.org/attempt": str(number)},
        "ownerReferences": owned_by(parts.pop("owner_kind", "DaskJob"), parts.pop("owner", JOB_UID), "j"),
    }
    if parts.pop("deleting", False):
        metadata["deletionTimestamp"] = rfc3339(WALL)
    status = {"workers": {"connected": parts.pop("connected", 2)}, **parts.pop("status", {})}
    return cluster_view(cluster_body("j", uid, metadata=metadata, status=status))


def scheduler_pod_body(state: str = "running", uid: str = SCHEDULER_UID, **parts: Any) -> Manifest:
    """The scheduler Pod of the job's cluster; by default it is Ready."""
    body = _pod("j-scheduler", uid, "scheduler", state, **parts)
    body["metadata"]["ownerReferences"] = owned_by("DaskCluster", parts.get("owner", JOB_CLUSTER_UID), "j")
    return body


def scheduler_pod(state: str = "running", uid: str = SCHEDULER_UID, **parts: Any) -> PodView:
    return pod_view(scheduler_pod_body(state, uid, **parts))


def runner_body(number: int = 1, state: str = "running", **parts: Any) -> Manifest:
    """The runner Pod of that attempt: waiting, running or terminated (with ``exit_code``)."""
    name = "j-runner" if number == 1 else f"j-runner-{number}"
    body = _pod(name, parts.pop("uid", f"runner-uid-{number}"), "program", state, **parts)
    body["metadata"]["labels"]["dask.org/component"] = "job-runner"
    body["metadata"]["annotations"] = {"kubernetes.dask.org/attempt": str(number)}
    owner, kind = parts.get("owner", JOB_UID), parts.get("owner_kind", "DaskJob")
    body["metadata"]["ownerReferences"] = owned_by(kind, owner, "j")
    return body


def runner(number: int = 1, state: str = "running", **parts: Any) -> PodView:
    return pod_view(runner_body(number, state, **parts))


def _pod(name: str, uid: str, container: str, state: str, **parts: Any) -> Manifest:
    metadata: Manifest = {
        "name": name,
        "namespace": "ns",
        "uid": uid,
        "resourceVersion": parts.get("version", "1"),
        "creationTimestamp": rfc3339(WALL - 65),
        "labels": {"dask.org/cluster-name": "j", "dask.org/component": container},
    }
    if parts.get("deleting"):
        metadata["deletionTimestamp"] = rfc3339(WALL)
    spec = {
        "restartPolicy": parts.get("policy", "Never"),
        "nodeName": parts.get("node", "node-1"),
        "containers": [{"name": container}],
        **({"activeDeadlineSeconds": parts["limit"]} if "limit" in parts else {}),
    }
    exit_code = parts.get("exit_code", 0)
    report: Manifest = {"name": container, "restartCount": parts.get("restarts", 0)}
    report["state"] = _state(state, exit_code, parts)
    if "last_exit" in parts:
        report["lastState"] = {"terminated": {"exitCode": parts["last_exit"], "reason": "Error"}}
    ended = {0: "Succeeded"}.get(exit_code, "Failed")
    phases = {"running": "Running", "waiting": "Pending", "none": "Pending", "terminated": ended}
    conditions = [{"type": "Ready", "status": "True" if parts.get("ready", state == "running") else "False"}]
    status = {
        "phase": parts.get("phase", phases[state]),
        "conditions": [*conditions, *parts.get("conditions", ())],
        "containerStatuses": [report] if state != "none" else [],
        **({"reason": parts["reason"]} if "reason" in parts else {}),
    }
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _state(state: str, exit_code: int, parts: Manifest) -> Manifest:
    if state == "running":
        return {"running": {"startedAt": rfc3339(WALL - parts.get("age", 60))}}
    if state == "terminated":
        times = {"startedAt": rfc3339(WALL - 60), "finishedAt": rfc3339(WALL - parts.get("ago", 3))}
        reason = parts.get("why", "Completed" if exit_code == 0 else "Error")
        return {"terminated": {"exitCode": exit_code, "reason": reason, **times}}
    return {"waiting": {"reason": parts.get("why", "ContainerCreating")}} if state == "waiting" else {}


def service_of_job(owner_kind: str = "DaskCluster", owner: str = JOB_CLUSTER_UID) -> ServiceView:
    references = owned_by(owner_kind, owner, "j") if owner_kind else []
    metadata = {"name": "j-scheduler", "namespace": "ns", "uid": "service", "ownerReferences": references}
    return service_view({"metadata": metadata})


def sign_of_life(age: float = 0.5) -> Roster:
    """The scheduler answered, asked ``age`` seconds ago."""
    return Roster(f"{SCHEDULER_UID}/0", NOW - age, NOW - age)


def world(of: JobView, *runners: PodView, **parts: Any) -> JobObserved:
    """A job whose cluster, scheduler and runner are there, and well, unless said otherwise."""
    return JobObserved(
        job=of,
        cluster=parts.get("cluster", job_cluster_view()),
        runners=runners,
        former=tuple(parts.get("former", ())),
        scheduler=parts.get("scheduler", scheduler_pod()),
        service=parts.get("service", service_of_job()),
        workers=tuple(parts.get("workers", ())),
        roster=parts.get("roster"),
        heard=parts.get("heard", False),
        refused=parts.get("refused"),
        now=NOW,
        wall=parts.get("wall", WALL),
    )


# -- what a plan says

EMPTY: dict[str, Any] = {"cluster": None, "scheduler": None, "service": None}
NEVER: dict[str, Any] = {"restartPolicy": "Never"}


def running(*attempts: JobAttempt, **spec: Any) -> Manifest:
    """The status of a job with these attempts."""
    return status_of(*(attempts or (attempt(),)), **spec)


def never_status(*attempts: JobAttempt) -> Manifest:
    """The same of a job whose program is not started again in its Pod."""
    status = running(*attempts)
    status["template"]["job"]["spec"]["restartPolicy"] = "Never"
    return status


def created(plan: JobPlan) -> list[str]:
    return [f"{act.kind} {act.body['metadata']['name']}" for act in plan.acts if isinstance(act, Create)]


def deleted(plan: JobPlan) -> list[str]:
    return [f"{act.kind} {act.view.name}" for act in plan.acts if isinstance(act, Delete)]


def stopped(plan: JobPlan) -> list[str]:
    return [act.name for act in plan.acts if isinstance(act, Patch)]


def outcome(plan: JobPlan) -> Outcome | None:
    assert plan.state.last is not None
    return plan.state.last.outcome


def failed(**parts: Any) -> PodView:
    return runner(1, "terminated", exit_code=1, **parts)
