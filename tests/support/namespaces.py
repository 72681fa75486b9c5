"""Namespaces for tests: made for each, or, where the operator looks after some only, taken from those and cleared.

``WATCH_NAMESPACES`` says which the installed operator looks after, separated by blanks; empty means all.
"""

import os
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .kubectl import Tree, eventually, get, kubectl, list_objects

WATCHED = tuple(os.environ.get("WATCH_NAMESPACES", "").split())
"""The namespaces that the installed operator looks after; none for all."""

_CLEARED = (
    "daskjobs,daskautoscalers,daskclusters,daskworkergroups",
    "pods,services,poddisruptionbudgets,resourcequotas,limitranges,networkpolicies",
    "events",
)


def _share() -> tuple[str, ...]:
    """Those of the watched namespaces that are for this process, of several that test side by side."""
    of_many = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return WATCHED[mine::of_many]


_free = deque(_share())


@contextmanager
def fresh_namespace(hint: str) -> Iterator[str]:
    """A namespace without anything in it that the operator looks after; ``hint`` is for its name."""
    if not WATCHED:
        name = f"{hint}-{secrets.token_hex(3)}"
        kubectl("create", "namespace", name)
        # Without it no Pod can be made there. Its controller needs a while after an outage of the API server.
        eventually("the service account", lambda: get(name, "serviceaccount", "default"), 120)
        yield name
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        return
    name = _free.popleft()
    try:
        _clear(name)
        yield name
    finally:
        _clear(name, wait=False)
        _free.append(name)


def wait_in_force(namespace: str, quota: str) -> None:
    """Wait until a ResourceQuota limits anything: it does once its controller has taken it up."""

    def taken_up() -> Tree | None:
        held: Tree | None = (get(namespace, "resourcequota", quota) or {}).get("status", {}).get("hard")
        return held

    eventually(f"the quota {quota} to be in force", taken_up)


def _clear(namespace: str, wait: bool = True) -> None:
    for kinds in _CLEARED:
        kubectl("delete", kinds, "--all", "-n", namespace, "--wait=false")
    if wait:
        eventually(f"nothing left in {namespace}", lambda: not _left(namespace), 120)


def _left(namespace: str) -> list[str]:
    kinds = "daskclusters,daskworkergroups,pods,services"
    return [item["metadata"]["name"] for item in list_objects(namespace, kinds)]
