"""Who leads: decisions about the Lease, without a clock and without a call.

The rules are those of Kubernetes' own components. A record is never judged by the times that stand in it, which
are another machine's: it has expired when it was *seen* unchanged for as long as its holder has asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from dask_operator_api.manifests import Manifest, section

LEASE_SECONDS = 15.0
"""How long a Lease stays with a holder that does not renew it."""

RENEW_SECONDS = 10.0
"""A holder that could not renew for this long writes no more. Well before anybody else may take the Lease."""

RETRY_SECONDS = 2.0
"""Seconds between two renewals."""

LOOK_SECONDS = 1.0
"""Seconds between two looks of a standby: bounds how long a Lease that was handed over lies about."""

BLIND_SECONDS = 5.0
"""Two looks further apart than this have missed something: who could not look cannot say that nobody renewed."""


@dataclass(frozen=True)
class Identity:
    """Who may hold the Lease: one process."""

    name: str
    """Unique to the process: ``<Pod>_<uid of the Pod>_<something random>``, or no uid outside a Pod."""
    pod: str = ""
    """What all processes of this Pod have in front of their names; empty outside a Pod."""

    @classmethod
    def of(cls, name: str, pod_uid: str, random: str) -> "Identity":
        """The process called ``name``, in the Pod with that uid if there is one."""
        pod = f"{name}_{pod_uid}_" if pod_uid else ""
        return cls(f"{pod or name + '_'}{random}", pod)

    def succeeds(self, holder: str) -> bool:
        """Whether ``holder`` was an earlier process of the same Pod: a container starts after the last one ended."""
        return bool(self.pod) and holder.startswith(self.pod)


@dataclass(frozen=True)
class Record:
    """What stands in the Lease."""

    version: str
    """Its resourceVersion: changes with every write."""
    holder: str = ""
    seconds: float = LEASE_SECONDS
    transitions: int = 0

    @classmethod
    def parse(cls, body: Manifest) -> "Record":
        """Read a Lease; one that nobody has ever held has an empty spec."""
        spec = section(body, "spec")
        return cls(
            version=str(section(body, "metadata").get("resourceVersion", "")),
            holder=str(spec.get("holderIdentity") or ""),
            seconds=float(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
            transitions=int(spec.get("leaseTransitions") or 0),
        )


@dataclass(frozen=True)
class Sighting:
    """A record, and how long it has been seen like this. Times are of one's own clock."""

    record: Record
    since: float
    looked: float
    """The last look."""


def sight(before: Sighting | None, record: Record, now: float) -> Sighting:
    """What is known after a look at ``now``."""
    if before is None or before.record != record or now - before.looked > BLIND_SECONDS:
        return Sighting(record, now, now)
    return replace(before, looked=now)


class Move(Enum):
    """What to do about the Lease."""

    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


def move(me: Identity, seen: Sighting) -> Move:
    """What the process ``me`` does after a look."""
    holder = seen.record.holder
    if holder == me.name:
        return Move.RENEW
    if not holder or me.succeeds(holder) or seen.looked - seen.since > seen.record.seconds:
        return Move.TAKE
    return Move.WAIT


def held_by(
    me: Identity, record: Record, wall: str, notes: Mapping[str, str | None] | None = None
) -> Manifest:
    """The patch that takes or renews the Lease, if ``record`` still is what stands in it.

    Args:
        wall: the time now.
        notes: annotations for whoever looks at the Lease; None takes one away.
    """
    spec: Manifest = {
        "holderIdentity": me.name,
        "leaseDurationSeconds": int(LEASE_SECONDS),
        "renewTime": wall,
    }
    if record.holder != me.name:
        spec |= {"acquireTime": wall, "leaseTransitions": record.transitions + 1}
    meta: Manifest = {"resourceVersion": record.version, **({"annotations": dict(notes)} if notes else {})}
    return {"metadata": meta, "spec": spec}


def handed_over(record: Record, wall: str) -> Manifest:
    """The patch that gives the Lease up, so that the next one need not wait for it to expire."""
    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": wall}
    return {"metadata": {"resourceVersion": record.version}, "spec": spec}
