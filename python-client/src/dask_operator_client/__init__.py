"""Dask clusters on Kubernetes, from Python.

>>> from dask_operator_client import KubeCluster
>>> from distributed import Client
>>> with KubeCluster(name="my-cluster", n_workers=2, quiet=True) as cluster, Client(cluster) as client:
...     client.submit(sum, [1, 2, 3]).result()
6
"""

from dask_operator_client.cluster import KubeCluster
from dask_operator_client.errors import ClusterError
from dask_operator_client.modes import CreateMode
from dask_operator_client.specs import make_cluster_spec, make_scheduler_spec, make_worker_spec

__all__ = [
    "ClusterError",
    "CreateMode",
    "KubeCluster",
    "make_cluster_spec",
    "make_scheduler_spec",
    "make_worker_spec",
]
