"""How long to wait before something that ended again and again is replaced once more."""

from collections.abc import Collection

WINDOW_SECONDS = 600.0
"""Ends older than this do not count."""

_FREE = 2
_FIRST_DELAY = 5.0
_LONGEST_DELAY = 300.0


def delay(ends: Collection[float], wall: float) -> float:
    """Seconds to wait after something ended at the times ``ends`` (epoch seconds): 0 at first, then longer."""
    recent = [end for end in ends if wall - end < WINDOW_SECONDS]
    if len(recent) <= _FREE:
        return 0.0
    pause = min(_LONGEST_DELAY, _FIRST_DELAY * 4.0 ** (len(recent) - _FREE - 1))
    return max(0.0, max(recent) + pause - wall)
