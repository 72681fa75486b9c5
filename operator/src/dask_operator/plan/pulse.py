"""Whether the client of a cluster still lives, judged by the signs of life that it gives.

A sign is a value that changes. The time that clients write into it is never read: their clocks are not ours. What
counts is how long the operator, looking again and again, has seen the same one. A while in which it could not look
counts as one look at most: who could not reach the API server then may be the operator, the client, or both.
"""

import math
from dataclasses import dataclass

from dask_operator_api import labels

from dask_operator.observed import ClusterView

LOOKS_PER_LIFE = 4
SHORTEST_INTERVAL = 1.0
"""Seconds between two looks at least, whatever time to live somebody writes."""


@dataclass(frozen=True)
class Pulse:
    """What is known of the client of one cluster."""

    uid: str
    sign: str
    looked: float
    """When the API server was last asked, or told something new, in monotonic seconds."""
    silent: float = 0.0
    """For how many seconds the sign has been seen to stay the same."""


def time_to_live(cluster: ClusterView) -> float | None:
    """For how many seconds the client may be silent; None where nobody has asked for that.

    Raises:
        ValueError: what was asked for is no number of seconds.
    """
    text = cluster.metadata.annotations.get(labels.TIME_TO_LIVE)
    if text is None:
        return None
    problem = f"the annotation {labels.TIME_TO_LIVE} must be a number of seconds such as 300, not {text!r}"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(problem) from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(problem)
    return seconds


def sign_of_life(cluster: ClusterView) -> str:
    """The last sign that the client has given; empty where it has given none."""
    return cluster.metadata.annotations.get(labels.HEARTBEAT, "")


def interval(life: float) -> float:
    """Seconds between two looks at a client that may be silent for ``life`` seconds."""
    return max(life / LOOKS_PER_LIFE, SHORTEST_INTERVAL)


def is_news(before: Pulse | None, cluster: ClusterView) -> bool:
    """Whether the cluster has another sign than is known."""
    return before is None or (before.uid, before.sign) != (cluster.uid, sign_of_life(cluster))


def felt(before: Pulse | None, cluster: ClusterView, life: float, now: float) -> Pulse:
    """What is known after the API server has just given the cluster as it is."""
    if before is None or is_news(before, cluster):
        return Pulse(cluster.uid, sign_of_life(cluster), now)
    silent = before.silent + min(now - before.looked, interval(life))
    return Pulse(before.uid, before.sign, now, silent)
