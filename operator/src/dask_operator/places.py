"""Who may be worked on now: so many objects of one family at a time, so that none takes all the places. Pure."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Turn = TypeVar("Turn")


@dataclass
class Places(Generic[Turn]):
    """The places that families take, ``most`` each; turns that come too early wait here."""

    most: int
    _taken: "Counter[Hashable]" = field(default_factory=Counter)
    _waiting: dict[Hashable, list[Turn]] = field(default_factory=dict)

    def take(self, family: Hashable, turn: Turn) -> bool:
        """Take a place; if the family has all of its own, False, and the turn is kept for when it has one again."""
        if self._taken[family] >= self.most:
            self._waiting.setdefault(family, []).append(turn)
            return False
        self._taken[family] += 1
        return True

    def waiting(self) -> Iterator[Turn]:
        """The turns that wait for a place of their family."""
        return (turn for turns in self._waiting.values() for turn in turns)

    def leave(self, family: Hashable) -> list[Turn]:
        """Give a place back. Gives the turns that waited for one: all of them, whoever of them still wants it."""
        self._taken[family] -= 1
        if not self._taken[family]:
            del self._taken[family]
        return self._waiting.pop(family, [])
