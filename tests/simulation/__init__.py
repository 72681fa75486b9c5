"""A discrete-event simulation of a Dask cluster under an autoscaler."""
