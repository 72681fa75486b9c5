"""The autoscaler of the Dask operator: the package exists so that the workspace is whole; nothing runs yet."""
