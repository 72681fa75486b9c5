"""Helpers of the tests that use a real cluster: kubectl, Dask clusters, counting executions outside Dask."""
