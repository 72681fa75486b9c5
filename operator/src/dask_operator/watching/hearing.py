"""Whether the watches hear what happens: pure bookkeeping of what a listing showed and what a watch then told."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Watch = tuple[str, str | None]
"""A kind, and the namespace it is watched in; None for all of them."""


@dataclass
class Hearing:
    """Versions (``resourceVersion``, which grow) that each watch has told of, and those it still owes."""

    _heard: dict[Watch, int] = field(default_factory=dict)
    _owed: dict[Watch, int] = field(default_factory=dict)

    def hears(self, watch: Watch, version: int) -> None:
        """A watch told of something that happened at ``version``."""
        self._heard[watch] = max(version, self._heard.get(watch, 0))

    def listed(self, watch: Watch, present: Iterable[int], vanished: Iterable[int]) -> None:
        """A listing has shown objects at these versions, and no more of those last known at ``vanished``.

        A watch that works tells of the newest of that within seconds: the end of an object is a version of its own.
        """
        self._owed[watch] = max((*present, *(version + 1 for version in vanished)), default=0)

    def deaf(self) -> list[Watch]:
        """The watches that have not told of what the last listing has shown. Ask some seconds after that."""
        return [watch for watch, version in self._owed.items() if self._heard.get(watch, 0) < version]

    def begin(self) -> None:
        """The watches start anew: they owe nothing, and begin by telling of everything there is."""
        self._heard.clear()
        self._owed.clear()


def pauses() -> Iterator[float]:
    """Seconds between tries to watch, without end."""
    return itertools.chain((0.2, 0.5, 1.0, 2.0), itertools.repeat(4.0))
