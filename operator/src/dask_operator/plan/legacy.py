"""Clusters that another operator has made of Deployments: left as they are until they can be moved."""

from collections.abc import Iterable
from dataclasses import dataclass

from dask_operator_api import labels
from dask_operator_api.kinds import Kind

from dask_operator.desired.scheduler import restart_asked
from dask_operator.observed import Activity, ClusterView, DeploymentView, PodView

ANOTHERS_MARK = "kopf.zalando.org/"
"""What the annotations of an operator begin with that keeps its notes on the objects themselves."""

OF_DEPLOYMENT = "ReplicaSet"
"""What the Pods of a Deployment belong to."""

LOOK_SECONDS = 30.0
"""How often such a cluster is looked at: nothing tells of its Deployments, and its scheduler counts all tasks to say
whether it is idle."""

GOING_SECONDS = 2.0


@dataclass(frozen=True)
class Asked:
    """What such a cluster's scheduler said of its work, or why it did not."""

    activity: Activity | None = None
    problem: str = ""


@dataclass(frozen=True)
class LegacyObserved:
    """All that is decided from."""

    cluster: ClusterView
    deployments: tuple[DeploymentView, ...]
    """Of the cluster and its groups."""
    pods: tuple[PodView, ...]
    """Of such Deployments, those about to go too."""

    @property
    def scheduler(self) -> DeploymentView | None:
        """The Deployment of the scheduler."""
        return next((one for one in self.deployments if one.component == labels.SCHEDULER), None)

    @property
    def scheduler_pod(self) -> PodView | None:
        """The Pod of it that runs, or may."""
        own = [pod for pod in self.pods if pod.component == labels.SCHEDULER and not pod.deleting]
        return next(iter(sorted(own, key=lambda pod: not pod.running)), None)

    @property
    def ends_with_job(self) -> bool:
        """Whether a job has the cluster, with workers in it.

        It is idle until the job's program connects, and whenever that has no client for a while: no time to take the
        scheduler away. A cluster that was never finished is of no use to the job.
        """
        has_workers = any(one.component == labels.WORKER for one in self.deployments)
        return has_workers and self.cluster.owner_kind == Kind.JOB.value

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left, or nothing ever was."""
        return not self.deployments and not any(not pod.finished for pod in self.pods)


@dataclass(frozen=True)
class LegacyPlan:
    """What to do about such a cluster."""

    delete: tuple[DeploymentView, ...] = ()
    moving: str = ""
    """Why it is moved; empty where it is left alone."""
    waits_for: str = ""
    """What moving it waits for; empty where nothing does."""
    again: float = LOOK_SECONDS


def may_be(cluster: ClusterView) -> bool:
    """Whether a cluster may have Deployments: it was not ours so far, and somebody has worked on it."""
    if cluster.status.get("image"):
        return False
    marked = any(key.startswith(ANOTHERS_MARK) for key in cluster.metadata.annotations)
    return marked or bool(cluster.status.get("phase"))


def of_cluster(
    cluster: ClusterView, groups: Iterable[str], found: Iterable[DeploymentView]
) -> tuple[DeploymentView, ...]:
    """Those of ``found`` that belong to the cluster, or to one of its groups (uids): nobody else's."""
    owners = {cluster.uid, *groups}
    return tuple(one for one in found if one.owner in owners)


def needs_word(seen: LegacyObserved) -> bool:
    """Whether the scheduler has to be asked what it has to do."""
    pod = seen.scheduler_pod
    return _reason(seen) == "" and not seen.ends_with_job and pod is not None and pod.serving


def plan_legacy(seen: LegacyObserved, asked: Asked) -> LegacyPlan:
    """Decide about a cluster of which Deployments, or their Pods, are left."""
    why = _reason(seen)
    if not why and seen.ends_with_job:
        return LegacyPlan(waits_for="the end of its job")
    if not why and asked.activity is not None and asked.activity.idle:
        why = "it is idle"
    if not why:
        return LegacyPlan(waits_for=_waits_for(asked))
    leaving = tuple(one for one in seen.deployments if not one.deleting)
    return LegacyPlan(leaving, why, again=GOING_SECONDS)


def _reason(seen: LegacyObserved) -> str:
    """Why it is moved whatever its scheduler has to do; empty where that counts."""
    if restart_asked(seen.cluster):
        return f"the annotation {labels.RESTART} asks for it"
    scheduler = seen.scheduler
    if scheduler is not None and scheduler.deleting:
        return "its scheduler's Deployment is being deleted"
    if scheduler is None and seen.scheduler_pod is None:
        return "its scheduler is gone"
    return ""


def _waits_for(asked: Asked) -> str:
    if asked.problem:
        return f"its scheduler does not say whether it is idle: {asked.problem}"
    if asked.activity is None:
        return "its scheduler does not run"
    held = {
        "clients": asked.activity.clients,
        "tasks": asked.activity.tasks,
        "results": asked.activity.results,
    }
    return "it is not idle: " + ", ".join(f"{many} {what}" for what, many in held.items() if many)
