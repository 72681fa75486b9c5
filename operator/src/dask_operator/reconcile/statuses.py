"""When a status is written. Pure.

A write of a status is the dearest of all that the API server does. What somebody waits for is written at once; numbers
on their way to what is wanted are written every few seconds, as mostly they are there within that time.
"""

from dataclasses import dataclass, field

from dask_operator_api.conditions import ConditionType
from dask_operator_api.manifests import Manifest, items, section

from dask_operator.store import Key

ARRIVE_SECONDS = 5.0
"""Seconds that the numbers get to be what is wanted before it is told how far they are."""

_CONNECTED = ConditionType.WORKERS_CONNECTED.value
"""Of this condition only the status is a verdict: why workers are not connected yet changes all the time."""


@dataclass
class StatusPace:
    """Since when each object's status is behind. All times are monotonic seconds."""

    _behind: dict[Key, float] = field(default_factory=dict)

    def wait(self, key: Key, held: Manifest, wanted: Manifest, now: float) -> float:
        """Seconds until the status ``wanted`` may replace the one that is ``held``; none left: at once."""
        if verdicts(held) != verdicts(wanted):
            return 0.0
        return self._behind.setdefault(key, now) + ARRIVE_SECONDS - now

    def settled(self, key: Key) -> None:
        """The status is what it should be, or its object is gone."""
        self._behind.pop(key, None)


def verdicts(status: Manifest) -> list[object]:
    """What somebody may wait for in a status: the conditions, and whether numbers are what is wanted."""
    workers = section(status, "workers")
    desired = int(workers.get("desired") or 0)
    numbers = [int(workers.get(name) or 0) for name in ("ready", "connected")]
    conditions = [
        (item.get("type"), item.get("status"), item.get("type") != _CONNECTED and item.get("reason"))
        for item in items(status, "conditions")
    ]
    return [
        conditions,
        status.get("observedGeneration"),
        desired,
        [(number > desired) - (number < desired) for number in numbers],
    ]
