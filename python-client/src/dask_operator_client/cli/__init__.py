"""``dask operator``: Dask clusters on Kubernetes from the command line. A plugin of the ``dask`` command."""

from dask_operator_client.cli.commands import main

__all__ = ["main"]
