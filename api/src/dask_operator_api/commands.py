"""What schedulers and workers are started with where nobody says otherwise."""

SCHEDULER = ("dask", "scheduler", "--host", "0.0.0.0")
JUPYTER_FLAG = "--jupyter"
"""Makes a scheduler serve Jupyter beside its dashboard."""

WORKER = ("dask", "worker")
NAME_FLAG = "--name"
WORKER_NAME = "$(DASK_WORKER_NAME)"
"""The name that the operator gives to a worker, as its command line refers to it."""
