"""What the API server's audit log says of the operator: which calls it made, and what came of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from localcluster import paths

ACCOUNTS = {
    "operator": "system:serviceaccount:dask-operator:dask-operator",
    "autoscaler": "system:serviceaccount:dask-operator:dask-operator-autoscaler",
}
"""The service accounts of the release, by the part of it that uses them."""
READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Call:
    """One answered call."""

    at: str
    """When it arrived: UTC, to be compared as text."""
    agent: str
    verb: str
    group: str
    resource: str
    """With its subresource, if it was about one; empty for a call that was about no resource."""
    namespace: str
    name: str
    denied: bool
    """Whether the account has no right to it."""

    @property
    def is_write(self) -> bool:
        """Whether it could change something; asking about one's own rights cannot."""
        return self.verb not in READS and not self.resource.startswith("selfsubject")


def calls(since: str, part: str = "operator") -> Iterator[Call]:
    """The calls of a ``part`` of the release that arrived at ``since`` (``2026-01-02T03:04:05Z``) or later."""
    if not paths.audit_log().exists():
        pytest.skip("there is no audit log: not the local cluster")
    account = ACCOUNTS[part]
    for log in paths.audit_logs():
        with log.open() as lines:
            for line in lines:
                if account not in line or not line.endswith("\n"):  # another's, or half written
                    continue
                entry = json.loads(line)
                if entry["user"]["username"] == account and entry["requestReceivedTimestamp"] >= since:
                    yield _call(entry)


def _call(entry: dict[str, object]) -> Call:
    about = entry.get("objectRef") or {}
    notes = entry.get("annotations") or {}
    assert isinstance(about, dict)
    assert isinstance(notes, dict)
    parts = [about.get("resource", ""), about.get("subresource", "")]
    return Call(
        at=str(entry["requestReceivedTimestamp"]),
        agent=str(entry.get("userAgent", "")),
        verb=str(entry["verb"]),
        group=about.get("apiGroup", ""),
        resource="/".join(part for part in parts if part),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        denied=notes.get("authorization.k8s.io/decision") == "forbid",
    )
