"""What the API server has refused: told until it is accepted, and not asked for again and again meanwhile."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from dask_operator_api.conditions import Reason

from dask_operator.errors import NameTaken, Refused
from dask_operator.status.conditions import Problem
from dask_operator.store import Key

REFUSED_SECONDS = 60.0
"""Seconds until a refused object is tried again although nobody has edited anything."""

PASSING_SECONDS = 10.0
"""The same for what others can mend: a quota, a name that is taken."""

ACCOUNT_SECONDS = 2.0
"""The same for a service account that is not there yet."""


_FINAL = (400, 422)
"""HTTP statuses that are about the object alone; others may change with a right, a quota or a policy."""


@dataclass(frozen=True)
class _Remembered:
    """A refusal, and the generations of the objects that it was an answer to."""

    problem: Problem
    generations: tuple[int, ...]
    until: float


@dataclass(frozen=True)
class Waiting:
    """What it is too early to try again."""

    problems: tuple[Problem, ...]
    seconds: float | None
    """Until the first of them may be tried again; None where there are none."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the objects that they are about."""
        return frozenset(problem.kind for problem in self.problems)


@dataclass
class Refusals:
    """The last refusal of each kind of object that was to be written for a custom resource.

    Args:
        clock: monotonic seconds.
    """

    clock: Callable[[], float]
    _held: dict[Key, dict[str, _Remembered]] = field(default_factory=dict)

    def waiting(self, key: Key, generations: tuple[int, ...]) -> Waiting:
        """What it is too early to try again.

        An edit, which changes a generation, is a reason to try everything at once.
        """
        held = {k: r for k, r in self._held.get(key, {}).items() if r.generations == generations}
        self._put(key, held)
        early = [remembered for remembered in held.values() if remembered.until > self.clock()]
        first = min((remembered.until - self.clock() for remembered in early), default=None)
        return Waiting(tuple(remembered.problem for remembered in early), first)

    def told(self, key: Key, planned: Collection[str]) -> tuple[Problem, ...]:
        """What stands refused: kinds that have to wait, and those that are ``planned`` to be tried now.

        A refusal is told until the try succeeds, so that the status does not change to and fro. What is not wanted any
        more is forgotten.
        """
        held = {
            kind: r
            for kind, r in self._held.get(key, {}).items()
            if kind in planned or r.until > self.clock()
        }
        self._put(key, held)
        return tuple(remembered.problem for remembered in held.values())

    def remember(self, key: Key, generations: tuple[int, ...], reason: Reason, error: Refused) -> Problem:
        """Note a refusal; ``reason`` is for one that says nothing more special."""
        final = (
            error.creating
            and error.status in _FINAL
            and not (error.is_policy or isinstance(error, NameTaken))
        )
        problem = Problem(_reason(reason, error), str(error), error.kind, final)
        until = self.clock() + _pause(error)
        self._held.setdefault(key, {})[error.kind] = _Remembered(problem, generations, until)
        return problem

    def accepted(self, key: Key, kind: str) -> None:
        """An object of ``kind`` was written."""
        self._put(key, {k: r for k, r in self._held.get(key, {}).items() if k != kind})

    def forget(self, key: Key) -> None:
        """Forget an object that is gone."""
        self._held.pop(key, None)

    def _put(self, key: Key, held: dict[str, _Remembered]) -> None:
        if held:
            self._held[key] = held
        else:
            self._held.pop(key, None)


def _pause(error: Refused) -> float:
    """Seconds until what was refused is tried again although nobody has edited anything."""
    if error.lacks_account:
        return ACCOUNT_SECONDS
    passing = error.is_quota or error.is_terminating or isinstance(error, NameTaken)
    return PASSING_SECONDS if passing else REFUSED_SECONDS


def _reason(reason: Reason, error: Refused) -> Reason:
    if isinstance(error, NameTaken):
        return Reason.NAME_CONFLICT
    return Reason.QUOTA_EXCEEDED if error.is_quota else reason
