"""Workers on their way out, as they stand in a group's status."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dask_operator_api.manifests import Manifest, items

from dask_operator.observed import GroupView
from dask_operator.observed.objects import timestamp


@dataclass(frozen=True)
class Drain:
    """A worker Pod that was chosen to go."""

    uid: str
    pod: str
    since: float
    """When it was chosen, in seconds since the epoch."""

    def as_status(self) -> Manifest:
        """One item of ``status.draining``."""
        return {"pod": self.pod, "uid": self.uid, "since": rfc3339(self.since)}


def drains_in_status(group: GroupView) -> tuple[Drain, ...]:
    """The workers that ``status.draining`` names."""
    return tuple(
        Drain(str(item.get("uid", "")), str(item.get("pod", "")), timestamp(item.get("since")) or 0.0)
        for item in items(group.status, "draining")
    )


def rfc3339(seconds: float) -> str:
    """A time as Kubernetes writes it, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
