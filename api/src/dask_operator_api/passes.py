"""Which object is being worked on: what every line of the log that belongs to a pass has with it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Pass:
    """A pass over an object."""

    object: str
    """Kind, namespace and name."""
    generation: int | None = None
    """Of the object as it was found; None until then."""
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began


_current: ContextVar[Pass | None] = ContextVar("pass", default=None)


def current() -> Pass | None:
    """The pass that this task, or the one that started it, works on."""
    return _current.get()


@contextmanager
def over(name: str) -> Iterator[Pass]:
    """A pass over the object ``name``, for as long as the block lasts."""
    one = Pass(name)
    token = _current.set(one)
    try:
        yield one
    finally:
        _current.reset(token)


def found(generation: int) -> None:
    """The object of the current pass was found with this generation."""
    one = _current.get()
    if one is not None:
        one.generation = generation
