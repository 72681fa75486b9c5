"""The only kopf decorators: they hand on what happened. They write nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, NamedTuple

import kopf
from dask_operator_api.kinds import GROUP, VERSION, Kind
from dask_operator_api.manifests import Manifest

from dask_operator.intake import SELECTOR, is_watched
from dask_operator.watching.hearing import pauses

LOGIN_PAUSE = 2.0
"""Seconds at least between two logins, if the API server does not take the token."""


class Event(NamedTuple):
    """An object was seen, or its end."""

    kind: str
    gone: bool
    body: Manifest


class Patience:
    """Pauses (seconds) between tries, without end.

    kopf gives up a watch after as many failures as there are pauses, and ends altogether with any of its watches: for
    a namespace whose Role is gone, or because etcd answers nobody for a minute.
    """

    def __iter__(self) -> Iterator[float]:
        return pauses()


BY_LABEL_NAMES = {
    **dict.fromkeys(("pods", "pod", "po"), "pods"),
    **dict.fromkeys(("services", "service", "svc"), "services"),
    **dict.fromkeys(("poddisruptionbudgets", "poddisruptionbudget", "pdb"), "poddisruptionbudgets"),
}
"""The names that kopf has for kinds of which the API server sends those with the operator's labels only → plural."""


class NoDifferences(kopf.AnnotationsDiffBaseStorage):
    """For handlers that only see: kopf compares each object with itself as last handled, a quarter of all its work."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of an object is to be compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Nothing was kept of it."""


def configure(
    settings: kopf.OperatorSettings, unlabelled: Collection[str] = (), differences: bool = False
) -> None:
    """Set kopf up as a source of watch events.

    Args:
        settings: what is changed.
        unlabelled: the kinds (plurals) to be watched whole.
        differences: whether handlers other than ours need to know what has changed.
    """
    if not differences:
        settings.persistence.diffbase_storage = NoDifferences()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    settings.networking.error_backoffs = Patience()
    settings.networking.request_timeout = 60.0
    settings.networking.connect_timeout = 5.0
    settings.networking.enforce_retry_after = True
    settings.watching.inactivity_timeout = 70.0
    settings.watching.connect_timeout = 5.0
    settings.queueing.idle_timeout = 0.1
    settings.queueing.exit_timeout = 1.0
    for plural in sorted({*BY_LABEL_NAMES.values()} - {*unlabelled}):
        settings.watching.label_selectors[plural] = SELECTOR


def register(
    hand_over: Callable[[Event], None],
    registry: kopf.OperatorRegistry,
    log_in: Callable[[], Awaitable[kopf.AiohttpSession]],
) -> None:
    """Watch the custom resources, and the Services and budgets of clusters."""

    def watch(kind: str, *resource: str) -> None:
        @kopf.on.event(*resource, registry=registry, id=f"saw-{kind}")
        async def saw(event: Any, **_: Any) -> None:
            body = dict(event["object"])
            body.setdefault("kind", kind)
            if not is_watched(kind, body):  # a plugin wants to see it
                return
            hand_over(Event(kind, event["type"] == "DELETED", body))

    watch(Kind.CLUSTER, GROUP, VERSION, Kind.CLUSTER.plural)
    watch(Kind.WORKER_GROUP, GROUP, VERSION, Kind.WORKER_GROUP.plural)
    watch(Kind.JOB, GROUP, VERSION, Kind.JOB.plural)
    watch(Kind.AUTOSCALER, GROUP, VERSION, Kind.AUTOSCALER.plural)
    watch("Service", "v1", "services")
    watch("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")

    last_login = -LOGIN_PAUSE

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        nonlocal last_login
        await asyncio.sleep(max(0.0, last_login + LOGIN_PAUSE - time.monotonic()))
        last_login = time.monotonic()
        return await log_in()
