"""Dask clusters on Kubernetes, from Python.

>>> from dask_operator_client import KubeCluster
>>> from distributed import Client
>>> cluster = KubeCluster(name="my-cluster", n_workers=3)  # doctest: +SKIP
>>> client = Client(cluster)  # doctest: +SKIP
"""

from dask_operator_client.cluster import KubeCluster
from dask_operator_client.errors import ClusterError
from dask_operator_client.modes import CreateMode

__all__ = ["ClusterError", "CreateMode", "KubeCluster"]
