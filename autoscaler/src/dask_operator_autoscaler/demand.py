"""From a scheduler's answers to what one group of its workers should be: pure reckoning.

The scheduler's ``adaptive_target`` (distributed 2026.8, ``Scheduler.adaptive_target``) is

- with no worker connected: the *threads* wanted, ``min(tasks, work / 5 s)``, an unknown task taken for 0.5 s;
- as many workers as are connected, or more: the *workers* wanted, by work or, above 60 % of memory, by results;
- fewer: what stays when the workers go that have nothing to do, are in no P2P shuffle, and whose results fit twice into
  the memory of the rest (``Scheduler.workers_to_close``).
"""

import math
import sys
from dataclasses import dataclass

from dask_operator_api.conditions import Reason

from dask_operator_autoscaler.answers import Answers, Counts, Row, count_of, group_of
from dask_operator_autoscaler.decide import Demand

SCHEDULER_TARGET_SECONDS = 5.0
"""``distributed.adaptive.target-duration``: what the scheduler reckons with. Nothing smaller can be had from it."""

UNKNOWN_TASK_SECONDS = 0.5
"""``distributed.scheduler.unknown-task-duration``."""

UNKNOWN_SHARE = 0.8
FEW_WORKERS = 10
"""So few workers are asked for without weighing."""

MEMORY_RATIO = 2
"""``Scheduler.workers_to_close`` keeps this many times the memory that results need."""

MEMORY_FULL = 0.6
"""``Scheduler.adaptive_target`` wants twice the workers above this share of memory."""


@dataclass(frozen=True)
class Place:
    """The group that is reckoned for, and its place in the cluster."""

    group: str
    replicas: int
    maximum: int = sys.maxsize
    threads: int = 1
    """Threads of one of its Pods, for when none is connected."""
    primary: bool = True
    """Whether the cluster's one wish is spent on this group."""
    special: frozenset[str] = frozenset()
    """Groups whose workers offer resources: what waits on them cannot run elsewhere."""
    target_seconds: float = SCHEDULER_TARGET_SECONDS
    start_seconds: float = 0.0
    """What a worker takes to come."""
    head_start: float = 0.0
    """Seconds that the workers on their way will have worked, all together, before a new one could be there."""


def connected(place: Place, answers: Answers) -> int:
    """Workers (Pods) of the group that the scheduler knows."""
    return count_of(place.group, answers.names)


def rough_wish(place: Place, answers: Answers) -> int:
    """The workers the group should have, by what the scheduler was asked."""
    if not place.primary:
        return _own_wish(place, answers)
    if not answers.names:
        return _wish_from_nothing(place, answers)
    wish = _retimed(place, answers) - _held_by_others(place, answers)
    return max(0, math.ceil(wish / _processes(place, answers)))


def demand(place: Place, answers: Answers) -> Demand:
    """What the group should be. Without rows (:func:`needs_rows`) nobody is let go."""
    wish = rough_wish(place, answers)
    if wish > place.replicas:
        useful = 0 if _cannot_help(place, answers) else _useful(place, answers)
        wish = max(place.replicas, min(wish, useful))
    if wish >= place.replicas:
        return Demand(wish)
    floor, why = _floor(place, answers)
    return Demand(wish, floor, why)


def needs_counts(place: Place, answers: Answers) -> bool:
    """Whether the number of waiting tasks, or of bytes, decides: dear to ask, so only then."""
    if not place.primary:
        return not connected(place, answers) and place.group in place.special and answers.target > 0
    if not answers.names:
        return answers.target > 0
    return answers.rows is not None and _kept_for_a_reason(answers) > 0


def needs_rows(place: Place, answers: Answers, minimum: int, maximum: int) -> bool:
    """Whether the page of workers decides: when the group is to grow or to shrink, or is reckoned for by it."""
    if not answers.names:
        return False
    if not place.primary or place.target_seconds != SCHEDULER_TARGET_SECONDS:
        return True
    wish = max(minimum, min(maximum, rough_wish(place, answers)))
    return wish != place.replicas


def _wish_from_nothing(place: Place, answers: Answers) -> int:
    """Nobody is connected, so the scheduler counts threads.

    As long as nobody knows how long the tasks take, each may be as long as the target duration. Whoever asks for
    fewer than that may have to wait for a second start; whoever asks for all of them pays starts for nothing if the
    tasks are short. With the share x of them, the time until all is done is at most ``2 / (1 + x)`` times the least:
    the worst is work that the first workers end just when more could be there. For x = 0.8 that is 1.11.
    """
    scale = SCHEDULER_TARGET_SECONDS / place.target_seconds / place.threads
    known = math.ceil(answers.target * scale)
    counts = answers.counts
    if counts is None or not _durations_unknown(answers.target, counts.ready):
        return known
    most = min(place.maximum, math.ceil(counts.ready * scale))
    return max(known, min(most, max(FEW_WORKERS, math.ceil(UNKNOWN_SHARE * most))))


def _durations_unknown(target: int, ready: int) -> bool:
    """Whether the scheduler seems to have taken every task for an unknown one."""
    return ready > 0 and abs(target - ready * UNKNOWN_TASK_SECONDS / SCHEDULER_TARGET_SECONDS) <= 1


def _processes(place: Place, answers: Answers) -> int:
    """Worker processes in one Pod of the group: the scheduler counts processes, Kubernetes counts Pods."""
    pods = connected(place, answers)
    own = sum(1 for name in answers.names if group_of(name) == place.group)
    return max(1, round(own / pods)) if pods else 1


def _retimed(place: Place, answers: Answers) -> int:
    """The scheduler's wish for another target duration than its own.

    It is ``min(tasks, seconds / 5)``. Where tasks take longer than 5 s on average, it is the number of tasks.
    """
    if place.target_seconds == SCHEDULER_TARGET_SECONDS or not answers.rows:
        return answers.target
    busy = sum(row.busy for row in answers.rows)
    average = sum(row.occupancy for row in answers.rows) / busy if busy else 0.0
    seconds = answers.target * max(SCHEDULER_TARGET_SECONDS, average)
    wish = min(answers.target, math.ceil(seconds / place.target_seconds))
    full = answers.target == MEMORY_RATIO * len(answers.names) and _memory_full(answers.rows)
    return answers.target if full else wish


def _held_by_others(place: Place, answers: Answers) -> int:
    """What of the cluster's wish is not for this group: the others' workers, and what only they can run."""
    others = [name for name in answers.names if group_of(name) != place.group]
    held = len(others)
    for group in place.special - {place.group}:
        rows = [row for row in answers.rows or () if group_of(row.name) == group]
        held += max(0, _threads_for(rows, place.target_seconds) - len(rows))
    return held


def _own_wish(place: Place, answers: Answers) -> int:
    """What the group's own workers have before them, or tasks that nobody can run, if the group may."""
    rows = _own_rows(place, answers)
    if rows:
        threads = sum(row.threads for row in rows) / max(1, connected(place, answers))
        return math.ceil(_threads_for(rows, place.target_seconds) / threads)
    if answers.counts is not None and place.group in place.special:
        return math.ceil(answers.counts.unrunnable / place.threads)
    return 0


def _threads_for(rows: list[Row], seconds: float) -> int:
    """Threads that do in ``seconds`` what waits on these workers, but not more than there are tasks."""
    return min(sum(row.busy for row in rows), math.ceil(sum(row.occupancy for row in rows) / seconds))


def _own_rows(place: Place, answers: Answers) -> list[Row]:
    return [row for row in answers.rows or () if group_of(row.name) == place.group]


def _cannot_help(place: Place, answers: Answers) -> bool:
    """Whether a worker of the group has nothing to do: what waits then waits for something else than another one."""
    rows = _own_rows(place, answers)
    return any(row.idle for row in rows) and not _memory_full(answers.rows or ())


def _useful(place: Place, answers: Answers) -> int:
    """The workers that will have work for the target duration when a worker asked for now can be there.

    What those that are there, and those that come before, will have done by then is not worth another start. The
    scheduler reckons tasks that run in full; on average half of each is done.
    """
    rows = answers.rows or ()
    if not rows or _memory_full(rows):
        return sys.maxsize
    busy = sum(row.busy for row in rows)
    average = sum(row.occupancy for row in rows) / busy if busy else 0.0
    running = sum(min(row.busy, row.threads) for row in rows)
    work = answers.target * max(SCHEDULER_TARGET_SECONDS, average) - running * average / 2
    done = len(rows) * place.start_seconds + place.head_start * _processes(place, answers)
    return math.ceil((work - done) / place.target_seconds / _processes(place, answers))


def _memory_full(rows: tuple[Row, ...]) -> bool:
    return sum(row.used for row in rows) > MEMORY_FULL * sum(row.limit for row in rows) > 0


def _kept_for_a_reason(answers: Answers) -> int:
    """How many workers the scheduler would not let go although they have nothing to do."""
    closable = len(answers.names) - answers.target
    if closable < 0:
        return 0
    return sum(row.idle for row in answers.rows or ()) - closable


def _floor(place: Place, answers: Answers) -> tuple[int, Reason]:
    """How many workers have to stay, and why.

    The operator lets idle workers go first. So as many may go as are idle, if the scheduler could spare every idle
    one, or if it is their results alone that keep some.
    """
    rows = _own_rows(place, answers)
    present = connected(place, answers)
    if answers.rows is None and answers.names:
        return place.replicas, Reason.WORKERS_IN_USE
    closable = max(0, len(answers.names) - answers.target)
    if _kept_for_a_reason(answers) > 0 and not _kept_for_results(answers, closable):
        return place.replicas, Reason.SHUFFLE_RUNNING
    free = _free_pods(place, rows)
    spare = min(free, closable // _processes(place, answers))
    fitting = _fitting(place, answers.rows or (), spare)
    short = fitting < free
    return present - fitting, Reason.NO_ROOM_FOR_RESULTS if short else Reason.WORKERS_IN_USE


def _free_pods(place: Place, rows: list[Row]) -> int:
    """Pods of the group in which every worker process is idle."""
    busy = [row.name for row in rows if not row.idle]
    return count_of(place.group, [row.name for row in rows]) - count_of(place.group, busy)


def _kept_for_results(answers: Answers, closable: int) -> bool:
    """Whether room for results alone explains that no more than ``closable`` idle workers may go."""
    rows, counts = answers.rows or (), answers.counts
    if counts is None:
        return False
    return closable >= min(sum(row.idle for row in rows), _spared_by_memory(rows, counts))


def _spared_by_memory(rows: tuple[Row, ...], counts: Counts) -> int:
    """How many workers may go so that the rest has ``MEMORY_RATIO`` times the memory of all results."""
    left, spared = sum(row.limit for row in rows), 0
    for row in sorted(rows, key=lambda row: row.limit):
        left -= row.limit
        if left < MEMORY_RATIO * counts.stored:
            break
        spared += 1
    return spared


def _fitting(place: Place, rows: tuple[Row, ...], spare: int) -> int:
    """How many of ``spare`` workers may go so that the rest takes their results, where workers differ in size.

    Where they are all alike, the scheduler has reckoned that already, and knows results better than their processes'
    memory tells.
    """
    if len({row.limit for row in rows}) < 2:
        return spare
    own = [row for row in rows if group_of(row.name) == place.group and row.idle]
    own.sort(key=lambda row: row.used if row.results else 0)
    for number in range(spare, 0, -1):
        going = own[:number]
        moved = sum(row.used for row in going if row.results)
        room = sum(MEMORY_FULL * row.limit - row.used for row in rows if row not in going)
        if moved == 0 or moved <= room:
            return number
    return 0
