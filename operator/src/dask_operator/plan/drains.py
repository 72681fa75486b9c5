"""Workers on their way out, as they stand in a group's status."""

from dataclasses import dataclass

from dask_operator_api.manifests import Manifest, items
from dask_operator_api.times import rfc3339, timestamp

from dask_operator.observed import GroupView

ROLLOUT = "Rollout"
SCALE_DOWN = "ScaleDown"


@dataclass(frozen=True)
class Drain:
    """A worker Pod that was chosen to go."""

    uid: str
    pod: str
    since: float
    """When it was chosen, in seconds since the epoch."""
    rollout: bool = False
    """Whether it goes because its template is an older one: then it is never ended by force."""

    def as_status(self) -> Manifest:
        """One item of ``status.draining``."""
        reason = ROLLOUT if self.rollout else SCALE_DOWN
        return {"pod": self.pod, "uid": self.uid, "since": rfc3339(self.since), "reason": reason}


def drains_in_status(group: GroupView) -> tuple[Drain, ...]:
    """The workers that ``status.draining`` names."""
    return tuple(
        Drain(
            uid=str(item.get("uid", "")),
            pod=str(item.get("pod", "")),
            since=timestamp(item.get("since")) or 0.0,
            rollout=item.get("reason") == ROLLOUT,
        )
        for item in items(group.status, "draining")
    )
