"""What is written into ``status``: pure functions of what was observed and planned."""

from dask_operator.status.cluster import cluster_status
from dask_operator.status.group import group_status, waiting_status

__all__ = ["cluster_status", "group_status", "waiting_status"]
