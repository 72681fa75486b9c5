"""Whether the operator still does its work: what the liveness probe asks. Pure.

An API server that refuses or does not answer is no reason to be restarted: what counts is that tries go on.
"""

from dataclasses import dataclass

QUEUE_LIMIT_SECONDS = 180.0
"""A key that waits or is worked on for longer than this, while calls succeed, means that nobody works."""

LEASE_LIMIT_SECONDS = 60.0
"""Without a try to hold the Lease for this long, the loop that tries has stopped."""

LISTING_LIMIT_SECONDS = 300.0
"""The same for the resync, beyond the time between two of them: one listing takes a minute at most."""

WATCH_LIMIT_SECONDS = 120.0
"""Watches that have not come back after this long, while the API server answers, do not by themselves."""


@dataclass(frozen=True)
class Signs:
    """Signs of life. All in seconds."""

    steady: float
    """How long the API server has answered every call about the Lease."""
    oldest: float
    """Age of the oldest key that waits or is worked on."""
    setback: float
    """Since a pass last ended with something to try again."""
    lease_tried: float
    listing_tried: float
    resync: float
    """Between two listings, as it was set."""
    deaf: float
    """Since a watch was found to be deaf, or not to run at all; 0 while all is well."""


def complaint(signs: Signs) -> str:
    """Why the operator should be started anew; empty while there is no reason to."""
    if signs.lease_tried > LEASE_LIMIT_SECONDS:
        return f"nobody has tried to hold the Lease for {signs.lease_tried:.0f} s"
    if signs.listing_tried > signs.resync + LISTING_LIMIT_SECONDS:
        return f"nothing has been listed for {signs.listing_tried:.0f} s"
    if min(signs.oldest, signs.steady, signs.setback) > QUEUE_LIMIT_SECONDS:
        return f"the oldest item has been in the queue for {signs.oldest:.0f} s"
    if min(signs.deaf, signs.steady) > WATCH_LIMIT_SECONDS:
        return (
            f"the watches have missed changes for {signs.deaf:.0f} s, and starting them anew has not helped"
        )
    return ""
