"""What a decision must know of the past: small, and kept in the object's status, so that it survives a restart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SAMPLES_MAX = 32
"""More samples than this are merged, the careful way."""

REGRETS_MAX = 2

USUAL_START_SECONDS = 30.0
"""What a start is taken for as long as none was seen."""

LONGEST_START_SECONDS = 900.0
"""A start that seems to have taken longer was not seen, or a clock was set: it says nothing about the next one."""


class Sample(NamedTuple):
    """A number of workers, and when (epoch seconds): the last time it was wished for, or when it was changed by."""

    at: float
    value: int


Samples = tuple[Sample, ...]


@dataclass(frozen=True)
class Memory:
    """The past of one autoscaler. Times are epoch seconds."""

    highs: Samples = ()
    """Each wish that no later one reached, so values fall: the greatest of a window is the first inside it."""
    lows: Samples = ()
    """Each wish that no later one went below, so values rise."""
    changes: Samples = ()
    """Changes that were made, by how many workers each."""
    awaited: Sample | None = None
    """When more workers were asked for of whom none has come yet, and how many there were before."""
    start_seconds: float | None = None
    """What the first of the last workers asked for took to connect."""
    asked: int | None = None
    """The number of workers last asked for."""
    fallen: float | None = None
    """When workers were last let go."""
    threads: int | None = None
    """Threads of one of the group's Pods, as last seen."""
    regrets: int = 0
    """How often in a row workers were let go that were wanted again soon."""

    def wishing(self, now: float, wish: int, longest: float) -> "Memory":
        """Remember a wish, and forget those of more than ``longest`` seconds ago."""
        return replace(
            self,
            highs=_noted(self.highs, now, wish, longest, lambda old: old <= wish),
            lows=_noted(self.lows, now, wish, longest, lambda old: old >= wish),
        )

    def seeing(self, now: float, connected: int, unplaceable: bool = False) -> "Memory":
        """Take note of how many workers are connected: the first to come tells what a start takes.

        The time in which workers cannot be placed does not count: it says how full the nodes are.
        """
        if self.awaited is None:
            return self
        if connected > self.awaited.value:
            return replace(self, start_seconds=_start(now - self.awaited.at), awaited=None)
        return replace(self, awaited=self.awaited._replace(at=now)) if unplaceable else self

    def changing(self, now: float, before: int, after: int, longest: float) -> "Memory":
        """Remember a change that is about to be made; changes are kept for ``longest`` seconds."""
        changes = (*(item for item in self.changes if now - item.at < longest), Sample(now, after - before))
        held = replace(self, changes=changes[-SAMPLES_MAX:], asked=after)
        if after < before:
            return replace(held, awaited=None, fallen=now)
        return replace(held, awaited=self.awaited or Sample(now, before))

    def regretting(self, now: float, soon: float) -> "Memory":
        """Take note that more workers are wanted: a regret, if some were let go at most ``soon`` seconds ago."""
        if self.fallen is None:
            return self
        regrets = min(REGRETS_MAX, self.regrets + 1) if now - self.fallen <= soon else 0
        return replace(self, regrets=regrets, fallen=None)

    def head_start(self, now: float, coming: int) -> float:
        """Seconds that ``coming`` workers, the last ones asked for, will have worked before one asked for now comes.

        One that is late may never come: it is ahead of a new one by no more than what a start takes.
        """
        start = self.seeing(now, (self.asked or 0) - coming).start_seconds  # the first may have come since
        seconds, most = 0.0, start or USUAL_START_SECONDS
        for change in reversed(self.changes):
            number = min(coming, max(0, change.value))
            seconds += number * min(max(0.0, now - change.at), most)
            coming -= number
        return seconds

    def silent(self, now: float) -> float:
        """Seconds since the last wish; 0 if there was none."""
        return now - self.highs[-1].at if self.highs else 0.0

    def resumed(self, now: float) -> "Memory":
        """The same after a time without news: the last wish is taken to have stood until now, the careful side."""
        return replace(self, highs=_retimed(self.highs, now), lows=_retimed(self.lows, now))

    def says_more_than(self, other: "Memory") -> bool:
        """Whether more is new than the time of the last wish, and since when workers are awaited."""
        return self._timeless() != other._timeless()

    def rose_since(self, other: "Memory") -> bool:
        """Whether the last wish is greater than that of ``other``: forgetting that would let workers go too early."""
        return bool(self.highs) and (not other.highs or self.highs[-1].value > other.highs[-1].value)

    def highest(self, now: float, window: float) -> int:
        """The greatest wish of the last ``window`` seconds."""
        return max(sample.value for sample in _within(self.highs, now, window))

    def lowest(self, now: float, window: float) -> int:
        """The smallest wish of the last ``window`` seconds."""
        return min(sample.value for sample in _within(self.lows, now, window))

    def _timeless(self) -> "Memory":
        awaited = self.awaited and self.awaited._replace(at=0.0)
        return replace(self, highs=_retimed(self.highs, 0), lows=_retimed(self.lows, 0), awaited=awaited)

    def as_status(self) -> dict[str, Any]:
        """JSON. Times are kept to a tenth of a second."""
        return {
            "highs": _plain(self.highs),
            "lows": _plain(self.lows),
            "changes": _plain(self.changes),
            "awaited": _plain([self.awaited])[0] if self.awaited else None,
            "startSeconds": None if self.start_seconds is None else round(self.start_seconds, 1),
            "asked": self.asked,
            "fallen": None if self.fallen is None else round(self.fallen, 1),
            "threads": self.threads,
            "regrets": self.regrets,
        }

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Memory":
        """Read what :meth:`as_status` gave. What cannot be read is forgotten."""
        try:
            awaited, asked, threads = body.get("awaited"), body.get("asked"), body.get("threads")
            start = _number(body.get("startSeconds"))
            return cls(
                highs=_samples(body.get("highs")),
                lows=_samples(body.get("lows")),
                changes=_samples(body.get("changes")),
                awaited=_samples([awaited])[0] if awaited else None,
                start_seconds=None if start is None else _start(start),
                asked=None if asked is None else int(asked),
                fallen=_number(body.get("fallen")),
                threads=None if threads is None else int(threads),
                regrets=int(body.get("regrets") or 0),
            )
        except (TypeError, ValueError, IndexError):
            return cls()


def _start(seconds: float) -> float:
    return min(LONGEST_START_SECONDS, max(0.0, seconds))


def _noted(held: Samples, now: float, wish: int, longest: float, covered: Callable[[int], bool]) -> Samples:
    young = [sample for sample in held if now - sample.at < longest]
    while young and covered(young[-1].value):
        young.pop()
    if len(young) >= SAMPLES_MAX:
        # The older of two says the more careful number; the younger says how long it has to be kept.
        young[:2] = [Sample(young[1].at, young[0].value)]
    return (*young, Sample(now, wish))


def _retimed(held: Samples, at: float) -> Samples:
    return (*held[:-1], held[-1]._replace(at=at)) if held else ()


def _within(held: Samples, now: float, window: float) -> Samples:
    """The samples of a window; the newest is always one of them."""
    return (*(sample for sample in held[:-1] if now - sample.at < window), *held[-1:])


def _plain(samples: Iterable[Sample]) -> list[list[float]]:
    return [[round(sample.at, 1), sample.value] for sample in samples]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _samples(body: Any) -> Samples:
    return tuple(Sample(float(at), int(value)) for at, value in body or ())
