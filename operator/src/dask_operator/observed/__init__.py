"""What is there: slim, frozen views of the objects that the API server and the Dask schedulers report."""

from dask_operator.observed.objects import (
    AutoscalerView,
    BudgetView,
    ClusterView,
    DeploymentView,
    GroupView,
    JobView,
    ObjectView,
    ServiceView,
)
from dask_operator.observed.pods import PodView
from dask_operator.observed.roster import Activity, DaskWorker, Roster
from dask_operator.observed.trouble import End, Trouble

__all__ = [
    "Activity",
    "AutoscalerView",
    "BudgetView",
    "ClusterView",
    "DaskWorker",
    "DeploymentView",
    "End",
    "GroupView",
    "JobView",
    "ObjectView",
    "PodView",
    "Roster",
    "ServiceView",
    "Trouble",
]
