"""What follows from something that is not there, or was not told, is decided from a look at the objects themselves.

A watch may lag behind, and after an answer that was lost nobody knows whether an object was made.
"""

from collections.abc import Iterator

from dask_operator_api import labels, names
from dask_operator_api.conditions import Outcome
from dask_operator_api.kinds import Kind

from dask_operator.errors import NotFound
from dask_operator.intake import is_watched
from dask_operator.observed import JobView, PodView
from dask_operator.plan.attempts import state_of
from dask_operator.plan.cluster_world import Create
from dask_operator.plan.job_world import JobPlan
from dask_operator.reconcile.context import Context

_COMPONENTS = (labels.SCHEDULER, labels.JOB_RUNNER)


def needs_proof(job: JobView, plan: JobPlan) -> bool:
    """Whether an attempt is to end that has not succeeded as far as is known, or a cluster is to be made."""
    before = state_of(job).present
    ended = next((past for past in plan.state.attempts if before and past.number == before.number), None)
    outcome = ended.outcome if ended is not None else None
    if outcome not in (None, Outcome.SUCCEEDED):
        return True
    return any(isinstance(act, Create) and act.kind == Kind.CLUSTER for act in plan.acts)


async def look_afresh(context: Context, job: JobView) -> bool:
    """Look at the job's cluster, scheduler and runners themselves; gives whether that was news.

    Raises:
        ApiError: that was not possible.
    """
    space, scheduler = job.namespace, names.scheduler_name(job.name)
    selector = f"{labels.CLUSTER_NAME}={job.name},{labels.COMPONENT} in ({','.join(_COMPONENTS)})"
    listing = await context.kube.list_all("Pod", selector, space)
    news = [context.intake.saw("Pod", item) for item in listing.items]
    present = {item["metadata"].get("uid") for item in listing.items}
    for pod in _held(context, job):
        if pod.uid not in present and pod.version <= listing.version:
            news.append(context.intake.gone("Pod", space, pod.name, pod.uid, listing.version))
    for kind, name in ((Kind.CLUSTER.value, job.name), ("Service", scheduler)):
        news.append(await _saw(context, kind, space, name))
    return any(news)


def _held(context: Context, job: JobView) -> Iterator[PodView]:
    return (pod for pod in context.store.pods_of(*job.identity) if pod.component in _COMPONENTS)


async def _saw(context: Context, kind: str, namespace: str, name: str) -> bool:
    try:
        body = await context.kube.get(kind, namespace, name)
    except NotFound:
        return False
    return is_watched(kind, body) and context.intake.saw(kind, body)
