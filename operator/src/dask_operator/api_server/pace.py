"""How fast calls are made: a bound that an install can choose, shared fairly by all that wait."""

import asyncio
from dataclasses import dataclass


@dataclass
class Pace:
    """Lets calls through at ``rate`` a second at most, in the order of their coming.

    After a pause, as many as a second has are let through at once. A rate of 0 lets everything through.
    """

    rate: float
    _next: float = 0.0
    """When (loop time) the next call would be due, had there been no pause."""

    async def turn(self) -> None:
        """Wait for one's turn."""
        if not self.rate:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - 1.0) + 1.0 / self.rate
        if self._next > now:
            await asyncio.sleep(self._next - now)
