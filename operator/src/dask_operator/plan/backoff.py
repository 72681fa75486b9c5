"""How long to wait before something that ended again and again is replaced once more."""

from collections.abc import Iterable

WINDOW_SECONDS = 600.0
"""Ends older than this do not count."""

_FREE = 2
_FIRST_DELAY = 5.0
_LONGEST_DELAY = 300.0


def delay(ends: Iterable[float], wall: float) -> float:
    """Seconds to wait, after something ended at the times ``ends`` (seconds since the epoch): 0 at first, then longer.

    What ended within one second ended once.
    """
    rounds = {int(end) for end in ends if wall - end < WINDOW_SECONDS}
    if len(rounds) <= _FREE:
        return 0.0
    pause = min(_LONGEST_DELAY, _FIRST_DELAY * 4.0 ** (len(rounds) - _FREE - 1))
    return max(0.0, max(rounds) + pause - wall)
