"""What a policy that knows the future could do at best.

It may not act before the first submission (nobody asks for a cluster before), its workers take ``start_seconds`` like
anybody's, and there are at most ``most`` of them. It finishes every part of the work as early as anybody could, and
among all ways to do so takes the cheapest.

**Time.** A part cannot begin before its first release, nor before the first worker can be there. From then on it takes
at least its longest task, at least its work divided by all workers, and, with tasks sorted from the longest, at least
``(k + 1) * seconds[k * most]`` for every k: of the ``k * most + 1`` longest tasks, one worker gets ``k + 1``. The same
holds for the part that is left at each release. So no policy is faster.

**Worker-seconds.** All work has to be done by somebody; and to finish a part by its earliest time, at least
``work / (earliest - begin)`` workers must have come, each at the cost of a start. What idle workers cost between is
left out. So no policy that is as fast is cheaper.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.model import Task


@dataclass(frozen=True)
class Bound:
    """The least there can be."""

    makespan: float
    worker_seconds: float


def bound(parts: Sequence[Sequence[Task]], start_seconds: float, most: int) -> Bound:
    """The bound for all ``parts`` together."""
    tasks = [task for part in parts for task in part]
    ends = [(_earliest(part, start_seconds, most), part) for part in (*parts, tasks)]
    workers = max(_workers(part, end, start_seconds) for end, part in ends)
    work = sum(task.seconds for task in tasks)
    return Bound(max(end for end, _ in ends), work + workers * start_seconds)


def _earliest(part: Sequence[Task], start_seconds: float, most: int) -> float:
    """The earliest time that all of the part can be done."""
    releases = sorted({task.release for task in part})
    step = max(1, len(releases) // 50)
    return max(
        max(release, start_seconds) + _span([task for task in part if task.release >= release], most)
        for release in releases[::step]
    )


def _span(tasks: Sequence[Task], most: int) -> float:
    seconds = sorted((task.seconds for task in tasks), reverse=True)
    rounds = max((k + 1) * seconds[k * most] for k in range((len(seconds) - 1) // most + 1))
    return max(seconds[0], sum(seconds) / most, rounds)


def _workers(part: Sequence[Task], end: float, start_seconds: float) -> int:
    begin = max(start_seconds, min(task.release for task in part))
    work = sum(task.seconds for task in part)
    return math.ceil(work / (end - begin) - 1e-9)
