"""How long news of an object waits after a pass over it, so that much news comes to one pass. Pure.

Most passes find nothing to do: a Pod that gets its node, starts, gets Ready or goes is news of its cluster and of its
group each time. While little happens nobody should wait for them; while much happens they are what takes the time.
"""

from collections import deque
from dataclasses import dataclass, field

from dask_operator.store import Key

SHORTEST = 0.2
"""Seconds. Hundreds of Pods that go one after another make a pass each otherwise."""

TIMES = 4.0
"""As many times as long as the pass took, if that is not much: long passes have waited for calls."""

LONGEST_ALONE = 0.3
"""Seconds, while there is little else to do."""

CALM = 20
"""So many passes within a second, over all objects, are few. With more of them rests are longer in proportion."""

LONGEST = 1.0
"""Seconds."""

NOTES_MAX = 1000
"""How many objects may have a note of their rest before those whose time is over are dropped."""


@dataclass
class Rests:
    """Until when objects rest. All times are monotonic seconds."""

    _until: dict[Key, float] = field(default_factory=dict)
    _passes: "deque[float]" = field(default_factory=deque)
    """When the passes of the last second have ended."""

    def begin(self, key: Key, took: float, now: float) -> None:
        """A pass over an object has ended well, after so many seconds."""
        self._passes.append(now)
        while self._passes[0] <= now - 1.0:
            self._passes.popleft()
        alone = min(max(TIMES * took, SHORTEST), LONGEST_ALONE)
        busy = min(SHORTEST * len(self._passes) / CALM, LONGEST)
        self._until[key] = now + max(alone, busy)
        if len(self._until) > NOTES_MAX:
            self._until = {other: until for other, until in self._until.items() if until > now}

    def until(self, key: Key, now: float) -> float:
        """When news of an object may bring it back; ``now`` where it does not rest."""
        return self._until.get(key, now)

    def end(self, key: Key) -> None:
        """An object rests no more."""
        self._until.pop(key, None)
