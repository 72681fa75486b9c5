"""The autoscaler as its image runs it, but for the API server: ``python -m bench.autoscaler_process URL PORT``."""

import asyncio
import sys

from dask_operator_api import logs
from dask_operator_autoscaler.connection import Connection
from dask_operator_autoscaler.main import run
from dask_operator_autoscaler.settings import Settings


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings(http_port=int(sys.argv[2]), log_level="warning")
    logs.set_up(settings.log_level, settings.log_format)
    asyncio.run(run(settings, Connection(sys.argv[1], None, dict)))


main()
