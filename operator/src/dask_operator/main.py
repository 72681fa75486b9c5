"""The operator's entry point."""

import asyncio
import logging
import os
import sys
from typing import NoReturn

from dask_operator_api.environment import SettingsError
from dask_operator_api.leadership import LeadershipLost

from dask_operator import life, logs
from dask_operator.scope.territory import Unfit
from dask_operator.settings import Settings
from dask_operator.watching.plugins import PluginFailed
from dask_operator.watching.watches import WatchesHang

logger = logging.getLogger("dask_operator")


def main() -> NoReturn:
    """Entry point of the container. Exit code 1: a setting is wrong, the operator broke, or must not run."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(f"dask-operator: {error}")
    logs.set_up(settings)
    asyncio.run(_life(settings))
    raise AssertionError("the life of the process ends the process")


async def _life(settings: Settings) -> None:
    code = 1
    try:
        await life.run(settings)
        code = 0
    except (PluginFailed, Unfit, LeadershipLost, WatchesHang) as error:
        logger.error("%s", error)
    except Exception:
        logger.exception("the operator has stopped working")
    _end_at_once(code)


def _end_at_once(code: int) -> NoReturn:
    """End the process here and now: whatever else runs in it, kopf's thread above all, must not go on."""
    logging.shutdown()
    os._exit(code)
