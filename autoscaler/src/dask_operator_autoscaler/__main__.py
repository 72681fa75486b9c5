"""``python -m dask_operator_autoscaler``."""

from dask_operator_autoscaler.main import main

main()
