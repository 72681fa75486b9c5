"""What decisions about a job are made from, and what they come to."""

from dataclasses import dataclass

from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind

from dask_operator.observed import ClusterView, JobView, ObjectView, PodView, Roster, ServiceView
from dask_operator.plan.attempts import JobAttempt, JobState
from dask_operator.plan.cluster_world import Act


@dataclass(frozen=True)
class Refusal:
    """What the API server said to a Pod or cluster that it will never take."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class JobObserved:
    """All that decisions about a job are made from."""

    job: JobView
    cluster: ClusterView | None = None
    """The DaskCluster that has the job's name, whoever it belongs to."""
    runners: tuple[PodView, ...] = ()
    """Every runner Pod of this very job."""
    former: tuple[PodView, ...] = ()
    """Runner Pods of jobs that had the name before."""
    scheduler: PodView | None = None
    """The Pod that has the name of the cluster's scheduler, whoever it belongs to."""
    service: ServiceView | None = None
    """The Service of that name."""
    workers: tuple[PodView, ...] = ()
    """Every worker Pod that is labelled with the cluster's name."""
    roster: Roster | None = None
    """What the scheduler said last, in its present life."""
    heard: bool = False
    """Whether that scheduler has answered before, in its present life."""
    refused: Refusal | None = None
    now: float = 0.0
    """Monotonic seconds."""
    wall: float = 0.0
    """Seconds since the epoch."""

    @property
    def own_cluster(self) -> ClusterView | None:
        """The cluster, if it is this job's."""
        cluster = self.cluster
        return cluster if cluster is not None and cluster.owner == self.job.uid else None

    def cluster_of(self, attempt: JobAttempt) -> ClusterView | None:
        """The cluster that was made for ``attempt``, unless it is being deleted."""
        cluster = self.own_cluster
        if cluster is None or cluster.deleting:
            return None
        made_for_it = cluster.uid == attempt.cluster_uid or (
            not attempt.cluster_uid and cluster.attempt == attempt.number
        )
        return cluster if made_for_it else None

    def runner_of(self, attempt: JobAttempt) -> PodView | None:
        """The Pod that was made for ``attempt``."""
        named = (pod for pod in self.runners if pod.name == attempt.runner)
        return next((pod for pod in named if attempt.runner_uid in ("", pod.uid)), None)

    def scheduler_of(self, attempt: JobAttempt) -> PodView | None:
        """The scheduler Pod of the cluster that was made for ``attempt``."""
        pod = self.scheduler
        return pod if pod is not None and attempt.cluster_uid and pod.owner == attempt.cluster_uid else None

    @property
    def in_the_way(self) -> tuple[tuple[str, ObjectView], ...]:
        """Kind and view of what has a name that a new attempt's cluster needs.

        The runner finds its scheduler by name: while anything of an earlier cluster has it, a new runner could
        connect to a scheduler on its way out.
        """
        named: tuple[tuple[str, ObjectView | None], ...] = (
            (Kind.CLUSTER.value, self.cluster),
            ("Pod", self.scheduler),
            ("Service", self.service),
        )
        return tuple((kind, view) for kind, view in named if view is not None)

    @property
    def foreign(self) -> tuple[str, ObjectView] | None:
        """Kind and view of an object of somebody else that has a name which the job needs, and will not go."""
        return next(((kind, view) for kind, view in self.in_the_way if not self._passes(view)), None)

    def _passes(self, view: ObjectView) -> bool:
        """Whether an object is ours, or about to go: it belongs to a job or a cluster, of now or of before."""
        return view.deleting or view.owner_kind in (Kind.JOB.value, Kind.CLUSTER.value)


@dataclass(frozen=True)
class JobPlan:
    """What to do now. Nothing in it waits."""

    state: JobState
    """What the status has to remember: to be stored before any of ``acts`` is done."""
    acts: tuple[Act, ...] = ()
    ask: bool = False
    """Whether the scheduler must be asked for a sign of life."""
    again: float | None = None
    """Seconds after which to look again even if nothing happens."""
    next_at: float | None = None
    """When the next attempt begins, in seconds since the epoch, while one is waited for."""
    waits_for: str = ""
    """What must be gone before the attempt can be made; empty where nothing must."""
