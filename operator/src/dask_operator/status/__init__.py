"""What is written into ``status``: pure functions of what was observed and planned."""

from dask_operator.status.cluster import Told, cluster_status
from dask_operator.status.group import group_status, waiting_status
from dask_operator.status.job import job_status

__all__ = ["Told", "cluster_status", "group_status", "job_status", "waiting_status"]
