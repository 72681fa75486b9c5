"""What people want to read in a status, and what only the API server can tell when it is needed: logs and Events."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from dask_operator_api.conditions import Reason
from dask_operator_api.manifests import Manifest

from dask_operator.errors import ApiError
from dask_operator.observed import PodView, Trouble
from dask_operator.plan.replacement import Failure
from dask_operator.plan.world import sooner
from dask_operator.reconcile.context import Context

LOG_LINES = 10
LOG_CHARACTERS = 1000

PROGRAM_LOG_LINES = 20
PROGRAM_LOG_CHARACTERS = 2000
"""The same for the program of a job."""

STUCK_SECONDS = 30.0
"""A container that has not started this long after its Pod got a node is worth a word."""

WORDS_SECONDS = 30.0
"""Seconds between two looks at the Events of a stuck Pod."""


async def last_lines(context: Context, pod: PodView) -> str:
    """The last lines that the Dask container of ``pod`` wrote before it ended; empty where nobody has them."""
    if not pod.node or pod.end is None:
        return ""
    previous = pod.state != "terminated"
    try:
        text = await context.kube.log(pod.namespace, pod.name, pod.container, LOG_LINES, previous)
    except ApiError:
        return ""  # the node is gone, or has cleaned up: the failure is told without
    return text.strip()[-LOG_CHARACTERS:]


async def last_words_of_program(context: Context, pod: PodView, before_restart: bool) -> str:
    """The last lines of a job's program, be it that it still runs; empty where nobody has them.

    ``before_restart``: those from before it was started again in its Pod.
    """
    if not pod.node:
        return ""
    previous = before_restart or (pod.state == "waiting" and pod.end is not None)
    try:
        text = await context.kube.log(pod.namespace, pod.name, pod.container, PROGRAM_LOG_LINES, previous)
    except ApiError:
        return ""  # it has not started, or its node is gone: the attempt is told without
    return text.strip()[-PROGRAM_LOG_CHARACTERS:]


async def with_logs(
    context: Context, failures: Sequence[Failure], pods: Sequence[PodView]
) -> tuple[Failure, ...]:
    """``failures``, each of the new ones with the last lines of its log."""
    by_name = {pod.name: pod for pod in pods}

    async def read(failure: Failure) -> Failure:
        pod = by_name.get(failure.pod)
        if failure.log is not None or pod is None:
            return failure
        return replace(failure, log=await last_lines(context, pod))

    return tuple(await asyncio.gather(*(read(failure) for failure in failures)))


async def stuck(context: Context, pods: Sequence[PodView]) -> tuple[Trouble | None, float | None]:
    """What holds up the first Pod that has a node and does not start, in the words of its Events.

    Gives that, and the seconds after which to look again; None where no Pod is on its way.
    """
    starting = [p for p in pods if p.alive and p.placed and not p.trouble and p.state in ("none", "waiting")]
    waited = {pod.uid: context.wall() - pod.placed for pod in starting}
    late = sorted((pod for pod in starting if waited[pod.uid] >= STUCK_SECONDS), key=lambda pod: pod.name)
    soon = [STUCK_SECONDS - seconds for seconds in waited.values() if seconds < STUCK_SECONDS]
    if not late:
        return None, sooner(*soon)
    words = await context.words_about(late[0], WORDS_SECONDS, _last_words)
    more = f" (and {len(late) - 1} more Pods)" if len(late) > 1 else ""
    since = f"Pod {late[0].name}{more} has a node, and its container does not start"
    return Trouble(Reason.CONTAINER_CREATING, f"{since}: {words}"), sooner(WORDS_SECONDS, *soon)


async def _last_words(context: Context, pod: PodView) -> str:
    try:
        events = await context.kube.events_about(pod.namespace, pod.uid)
    except ApiError as error:
        return f"its Events cannot be read: {error}"
    if not events:
        return "nothing is known of why; see the kubelet's log on its node"
    last = max(events, key=lambda event: (event.get("type") == "Warning", _time_of(event)))
    return f"{last.get('reason')}: {' '.join(str(last.get('message') or '').split())}"


def _time_of(event: Manifest) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max(str(time or "") for time in times)
