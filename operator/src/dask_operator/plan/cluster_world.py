"""What decisions about a cluster are made from, and the acts that they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dask_operator_api.manifests import Manifest

from dask_operator.observed import (
    AutoscalerView,
    BudgetView,
    ClusterView,
    GroupView,
    ObjectView,
    PodView,
    Roster,
    ServiceView,
)
from dask_operator.observed.roster import Placement, placement_of
from dask_operator.plan.world import ROSTER_MAX_AGE, Attempt


@dataclass(frozen=True)
class Defaults:
    """What an install chooses for clusters that are silent about it."""

    image: str
    disruption_budget: bool = False
    """Whether a scheduler gets a PodDisruptionBudget."""
    pull_secrets: tuple[str, ...] = ()
    """For Pods whose template names none."""


@dataclass(frozen=True)
class ClusterObserved:
    """All that decisions about a cluster are made from."""

    cluster: ClusterView
    scheduler: PodView | None
    """The Pod that has the scheduler's name, whoever it belongs to."""
    service: ServiceView | None
    """The Service that has the scheduler's name, whoever it belongs to."""
    groups: tuple[GroupView, ...]
    """Every group that names the cluster."""
    workers: tuple[PodView, ...]
    """Every worker Pod of this incarnation."""
    roster: Roster | None
    budget: BudgetView | None = None
    """The PodDisruptionBudget that has the scheduler's name, whoever it belongs to."""
    autoscalers: tuple[AutoscalerView, ...] = ()
    """Every autoscaler that names the cluster."""
    autoscaler: AutoscalerView | None = None
    """The DaskAutoscaler that has the cluster's name, whoever it belongs to."""
    has_program: bool = False
    """Whether a job's program works with it, of which the job has not noted yet that its scheduler was shut down."""
    in_flight: frozenset[str] = frozenset()
    """uids of Pods for which the scheduler is at work on a request to retire."""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    """uid → the last request to retire it that has ended."""
    now: float = 0.0
    """Monotonic seconds."""
    wall: float = 0.0
    """Seconds since the epoch."""

    @cached_property
    def placement(self) -> Placement:
        """Which worker processes run in which Pod."""
        return placement_of(self.roster, self.workers)

    @property
    def informed(self) -> bool:
        """Whether the scheduler has just said which workers it has, and where."""
        roster = self.roster
        return roster is not None and roster.reachable and self.now - roster.arrived <= ROSTER_MAX_AGE

    @property
    def own_scheduler(self) -> PodView | None:
        """The scheduler Pod, if it is this cluster's."""
        pod = self.scheduler
        return pod if pod is not None and pod.owner == self.cluster.uid else None


@dataclass(frozen=True)
class NameConflict:
    """An object of somebody else has a name that the cluster needs."""

    kind: str
    name: str

    @property
    def message(self) -> str:
        """What is wrong and what to do."""
        return (
            f"{self.kind} {self.name} exists and belongs to something else: delete it, or rename the cluster"
        )


@dataclass(frozen=True)
class Create:
    """An object to create."""

    kind: str
    body: Manifest


@dataclass(frozen=True)
class Patch:
    """An object to patch: a JSON patch where ``body`` is a list, else a merge patch."""

    kind: str
    name: str
    body: Manifest | list[Manifest]
    why: str


@dataclass(frozen=True)
class Delete:
    """An object to delete."""

    kind: str
    view: ObjectView
    why: str
    at_once: bool = False
    """Without any grace: nobody is there any more who could end its containers."""


Act = Create | Patch | Delete
