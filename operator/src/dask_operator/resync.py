"""Full listings: the first one fills the store, later ones find what the watches have missed."""

import asyncio
import logging

from dask_operator.errors import ApiError
from dask_operator.intake import BY_LABEL, SELECTOR, WATCHED, Intake
from dask_operator.kube import Kube

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


async def list_all(kube: Kube, intake: Intake) -> int:
    """List every kind once; gives how many differences that made.

    Raises:
        ApiError: a listing failed; what was listed before it is kept.
    """
    changes = 0
    for kind in WATCHED:
        listing = await kube.list_all(kind, SELECTOR if kind in BY_LABEL else "")
        changes += intake.listed(kind, listing.items, listing.version)
    return changes


async def first_listing(kube: Kube, intake: Intake) -> None:
    """List until it succeeds, then have everything reconciled."""
    while True:
        try:
            await list_all(kube, intake)
            break
        except ApiError as error:
            logger.warning("cannot list yet, trying again in %.0f s: %s", RETRY_SECONDS, error)
            await asyncio.sleep(RETRY_SECONDS)
    intake.queue_everything()


async def resync(kube: Kube, intake: Intake, seconds: float) -> None:
    """List everything again and again, ``seconds`` apart, until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        try:
            changes = await list_all(kube, intake)
        except ApiError as error:
            logger.warning("resync failed: %s", error)
            continue
        logger.debug("resync found %d differences", changes)
        intake.queue_everything()
