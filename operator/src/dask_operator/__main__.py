"""``python -m dask_operator``."""

from dask_operator.main import main

main()
