"""Dask clusters on Kubernetes from Python."""
