"""What is there: slim, frozen views of the objects that the API server and the Dask schedulers report."""

from dask_operator.observed.objects import ClusterView, GroupView, ObjectView, ServiceView
from dask_operator.observed.pods import PodView, Trouble
from dask_operator.observed.roster import DaskWorker, Roster

__all__ = [
    "ClusterView",
    "DaskWorker",
    "GroupView",
    "ObjectView",
    "PodView",
    "Roster",
    "ServiceView",
    "Trouble",
]
