"""The fence around every write: it is open only while nobody else can hold the Lease."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds that never jump."""


def boot_seconds() -> float:
    """Seconds since the machine was started, those in which it slept among them.

    ``time.monotonic`` stands still while a machine sleeps, and the Lease does not wait for it.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """Says until when writes may be sent. Closed at first. May be asked from any thread."""

    def __init__(self, clock: Clock = boot_seconds) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._shut = False

    @classmethod
    def always_open(cls) -> "Fence":
        """A fence that keeps nobody out, for calls that need no Lease."""
        fence = cls()
        fence._until = float("inf")
        return fence

    def open_until(self, moment: float) -> None:
        """Let writes through until ``moment``, in the seconds of the clock; without effect after :meth:`shut`."""
        self._until = moment

    def shut(self) -> None:
        """Let no further write through, whatever comes later."""
        self._shut = True

    def left(self) -> float:
        """Seconds for which the fence is still open; 0 where it is closed."""
        return 0.0 if self._shut else max(0.0, self._until - self._clock())
