"""Puts the parts of the operator together. Nothing runs yet."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from dask_operator_api.election import Identity
from dask_operator_api.fence import Fence, boot_seconds
from dask_operator_api.leadership import Leadership

from dask_operator import __version__
from dask_operator.api_server.kube import Kube
from dask_operator.api_server.pace import Pace
from dask_operator.api_server.recorder import Recorder
from dask_operator.intake import Intake
from dask_operator.metrics import Gauges, Metrics
from dask_operator.observed.pods import worker_states
from dask_operator.queue import KeyedQueue
from dask_operator.reconcile import Context, reconcile
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.schedulers.retirement import SchedulerDesk
from dask_operator.scope import rights
from dask_operator.scope.territory import Territory
from dask_operator.settings import Settings
from dask_operator.store import Key, Store
from dask_operator.vitals import Signs, complaint
from dask_operator.watching.hearing import Hearing
from dask_operator.watching.keeper import Keeper
from dask_operator.watching.pod_watch import PodWatch
from dask_operator.watching.resync import Survey
from dask_operator.watching.watches import Watches

ASIDE_CONNECTIONS = 4

LEFT_OUT = "kubernetes.dask.org/left-out"
"""Annotation of the Lease: the namespaces that should be looked after and are not, each with the reason."""


@dataclass
class Parts:
    """The operator."""

    settings: Settings
    store: Store
    kube: Kube
    aside: Kube
    """Calls that need no Lease, and must not wait behind others: the Lease itself, rights, claims."""
    schedulers: DaskSchedulers
    desk: SchedulerDesk
    queue: KeyedQueue
    recorder: Recorder
    territory: Territory
    leadership: Leadership
    survey: Survey
    keeper: Keeper
    metrics: Metrics
    ready: bool = False

    def complaint(self) -> str:
        """Why the operator should be started anew; empty while there is no reason to."""
        signs = Signs(
            steady=self.leadership.steady_seconds(),
            oldest=self.queue.oldest_age(parked=False),
            setback=self.queue.setback_age(),
            lease_tried=self.leadership.tried_ago(),
            listing_tried=self.survey.tried_ago() if self.leadership.leading else 0.0,
            resync=self.settings.resync_seconds,
            deaf=self.keeper.deaf_seconds(),
        )
        return complaint(signs)

    def gauges(self) -> Gauges:
        """The numbers of this moment."""
        return Gauges(
            leading=self.leadership.leading,
            ready=self.ready,
            queued=self.queue.depth(),
            oldest=self.queue.oldest_age(),
            served=len(self.territory.spaces),
            left_out=len(self.territory.left_out),
            clusters=len(self.store.clusters.objects),
            workers=worker_states(self.store.pods.objects.values()),
        )


def _notes(territory: Territory) -> Callable[[], dict[str, str | None]]:
    """What the Lease tells beside who holds it."""

    def notes() -> dict[str, str | None]:
        problems = territory.left_out
        return {LEFT_OUT: "; ".join(problems[name] for name in sorted(problems)) or None}

    return notes


async def assemble(settings: Settings) -> Parts:
    """Make everything."""
    fence = Fence()
    metrics = Metrics()
    agent = f"dask-operator/{__version__} ({settings.identity})"
    pace = Pace(settings.calls_per_second)
    kube = await Kube.connect(fence, agent, settings.connections, metrics.called, pace)
    aside = await Kube.connect(Fence.always_open(), agent, ASIDE_CONNECTIONS, metrics.called)
    schedulers = DaskSchedulers(settings.scheduler_connections)
    store = Store()

    async def one(key: Key) -> float | None:
        return await reconcile(context, key)

    queue = KeyedQueue(
        one, settings.concurrency, metrics.passed, store.family, settings.concurrency_per_cluster
    )
    desk = SchedulerDesk(schedulers, queue.add, time.monotonic, metrics.asked_to_retire)
    intake = Intake(store, queue, desk)
    recorder = Recorder(kube, settings.identity)
    context = Context(
        settings,
        kube,
        store,
        intake,
        desk,
        recorder,
        time.monotonic,
        time.time,
        refused=metrics.refused,
        left=metrics.left,
    )

    needed = rights.needed(settings.autoscaling)
    territory = Territory(aside, settings.namespace, settings.release, settings.watch_namespaces, needed)
    me = Identity.of(settings.identity, settings.pod_uid, secrets.token_hex(4))
    lease = aside.lease(settings.namespace, settings.release)
    leadership = Leadership(lease, me, fence, boot_seconds, _notes(territory))
    hearing = Hearing()
    watches = Watches(lambda event: keeper.heard(event), fence, agent, settings.plugins_unlabelled)
    survey = Survey(kube, intake, territory, hearing, lambda: watches.running, time.monotonic)
    # Without bound: every namespace's watch keeps a connection to itself.
    watching = await Kube.connect(fence, agent, 0, metrics.called)
    pod_watch = PodWatch(watching, intake, hearing, survey.pods_at)
    keeper = Keeper(
        watches, pod_watch, hearing, intake, survey, territory, leadership.steady_seconds, time.monotonic
    )
    # What the watches missed meanwhile is not waited for.
    leadership.resumed = survey.soon
    parts = Parts(
        settings=settings,
        store=store,
        kube=kube,
        aside=aside,
        schedulers=schedulers,
        desk=desk,
        queue=queue,
        recorder=recorder,
        territory=territory,
        leadership=leadership,
        survey=survey,
        keeper=keeper,
        metrics=metrics,
    )
    metrics.watch(parts.gauges)
    return parts
