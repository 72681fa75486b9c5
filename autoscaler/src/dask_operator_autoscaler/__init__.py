"""The autoscaler of the Dask operator: asks each cluster's scheduler, decides, and writes one number of workers."""
