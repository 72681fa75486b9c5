"""One pass over a cluster."""

from dask_operator_api import labels, names, passes
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator.errors import ApiError
from dask_operator.observed import ClusterView
from dask_operator.plan.attempts import state_of
from dask_operator.plan.cluster import ClusterPlan, plan_cluster
from dask_operator.plan.cluster_world import ClusterObserved, Create
from dask_operator.plan.world import sooner
from dask_operator.reconcile.acts import carry_out
from dask_operator.reconcile.asking import last_lines, stuck
from dask_operator.reconcile.context import GONE_SECONDS, Context, names_of
from dask_operator.reconcile.gone import clear_away
from dask_operator.reconcile.legacy import leave_alone
from dask_operator.reconcile.living import after, is_living
from dask_operator.reconcile.pulse import next_look
from dask_operator.reconcile.refusals import Waiting
from dask_operator.reconcile.unserved import tell_unserved
from dask_operator.status import Told, cluster_status
from dask_operator.status.conditions import Problem, connecting_for, lonely
from dask_operator.status.scheduler import new_end
from dask_operator.store import Key

LEAVING_SECONDS = 60.0
"""How long a scheduler may take to move the results of workers whose Pods are being deleted."""


async def reconcile_cluster(context: Context, key: Key) -> float | None:
    """Bring a cluster's own objects in order."""
    cluster = context.store.cluster(key.namespace, key.name)
    if cluster is None:
        context.forget(key)
    try:
        if cluster is not None:
            passes.found(cluster.generation)
        await tell_unserved(context, key)
        later = await clear_away(context, key, cluster.uid if cluster is not None else "")
        if cluster is None or cluster.deleting or not context.has_good_name(cluster):
            return later
        look = await next_look(context, key, cluster)
        legacy = await leave_alone(context, key, cluster)
        if legacy is not None:
            return sooner(later, look, legacy)
        return sooner(later, look, await _pass(context, key, _observe(context, cluster)))
    except ApiError as error:
        return await after(error, context, Kind.CLUSTER, cluster)


def _observe(context: Context, cluster: ClusterView) -> ClusterObserved:
    name = (cluster.namespace, names.scheduler_name(cluster.name))
    scheduler = context.store.pods.objects.get(name)
    related = context.store.pods_of(*cluster.identity)
    workers = tuple(p for p in related if p.component == labels.WORKER and p.cluster_uid == cluster.uid)
    own = scheduler if scheduler is not None and scheduler.owner == cluster.uid else None
    return ClusterObserved(
        cluster=cluster,
        scheduler=scheduler,
        service=context.store.services.objects.get(name),
        groups=context.store.groups_of(*cluster.identity),
        workers=workers,
        budget=context.store.budgets.objects.get(name),
        autoscalers=context.store.autoscalers_of(*cluster.identity),
        autoscaler=context.store.autoscalers.objects.get(cluster.identity),
        roster=context.desk.roster(own),
        has_program=_has_program(context, cluster),
        in_flight=context.desk.in_flight(own, workers),
        attempts=context.desk.attempts(pod for pod in workers if pod.deleting),
        now=context.clock(),
        wall=context.wall(),
    )


def _has_program(context: Context, cluster: ClusterView) -> bool:
    """Whether a job's program works with the cluster and needs its scheduler, as far as the job has noted.

    That counts only where a cluster ends by itself.
    """
    if not cluster.spec.idle_timeout:
        return False
    job = context.store.job(cluster.namespace, cluster.name)
    if job is None or job.uid != cluster.owner or job.deleting:
        return False
    attempt = state_of(job).present
    return attempt is not None and bool(attempt.started) and not attempt.shut_down


async def _pass(context: Context, key: Key, seen: ClusterObserved) -> float | None:
    cluster = seen.cluster
    plan = plan_cluster(seen, context.defaults)
    _retire(context, key, seen, plan)  # before anything that may fail: a leaving worker has seconds
    asked = _ask(context, key, seen, plan)
    waiting = context.refusals.waiting(key, (cluster.generation,))
    if not cluster.status.get("image") and _pods(plan, waiting):
        await _begin(context, key, seen, plan, waiting)
        return 0.0
    problem = next(iter(context.refusals.told(key, {act.kind for act in plan.acts})), None)
    told, soon = await _find_out(context, seen, problem)
    status = cluster_status(seen, plan, told)
    _tell_lives(context, cluster, status)
    again = await context.write_status(key, cluster, status, urgent=_urgent(cluster, status))
    retry = sooner(waiting.seconds, await _carry_out(context, key, cluster, plan, waiting))
    return sooner(again, retry, soon, plan.again, asked)


async def _begin(
    context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan, waiting: Waiting
) -> None:
    """Make the first scheduler Pod of a cluster, before its status: it holds all that must not be forgotten.

    The user waits for it. Where it cannot be made the status says at least that there is none.
    """
    try:
        await carry_out(context, key, seen.cluster, _pods(plan, waiting), waiting, more=True)
    except ApiError:
        await context.write_status(key, seen.cluster, cluster_status(seen, plan, Told()), urgent=True)
        raise


def _pods(plan: ClusterPlan, waiting: Waiting) -> list[Create]:
    """The Pods that are to be made, unless one has just been refused."""
    creates = [act for act in plan.acts if isinstance(act, Create)]
    return [act for act in creates if act.kind == "Pod" and act.kind not in waiting.kinds]


async def _find_out(
    context: Context, seen: ClusterObserved, problem: Problem | None
) -> tuple[Told, float | None]:
    """What the status has to say beside what was observed, and when to look again."""
    scheduler = seen.own_scheduler
    pods = [*([scheduler] if scheduler is not None else []), *seen.workers]
    trouble, soon = await stuck(context, pods)
    ended = scheduler is not None and new_end(seen) is not None
    log = await last_lines(context, scheduler) if ended and scheduler is not None else ""
    return Told(problem, trouble, log), soon


def _urgent(cluster: ClusterView, status: Manifest) -> bool:
    """Whether the status holds what must be stored before anything is done."""
    intent = ("replacedUID", "lostUID")
    before, after = section(cluster.status, "scheduler"), section(status, "scheduler")
    return not cluster.status.get("image") or any(before.get(name) != after.get(name) for name in intent)


def _tell_lives(context: Context, cluster: ClusterView, status: Manifest) -> None:
    """Tell that a new scheduler has begun, which knows nothing of what the one before knew."""
    before, after = section(cluster.status, "scheduler"), section(status, "scheduler")
    lives = int(after.get("restarts") or 0)
    if lives <= int(before.get("restarts") or 0):
        return
    replaced = before.get("podUID") == before.get("replacedUID")
    end = section(after, "lastEnd")
    if replaced:
        why = "it was replaced on purpose"
    elif end and end != section(before, "lastEnd"):
        why = f"the one before ended: {end.get('reason')}, exit code {end.get('exitCode')}"
    else:
        why = "the one before is gone"
    message = f"a new scheduler has begun (number {lives + 1}): {why}; what its workers had in memory is lost"
    context.recorder.tell(cluster, "SchedulerRestarted", message, warning=not replaced)


async def _carry_out(
    context: Context, key: Key, cluster: ClusterView, plan: ClusterPlan, waiting: Waiting
) -> float | None:
    """Do what was planned, unless the cluster turns out to be gone."""
    again = bool(section(cluster.status, "scheduler").get("podUID"))
    creates = any(isinstance(act, Create) and act.kind not in waiting.kinds for act in plan.acts)
    if again and creates and not await is_living(context, Kind.CLUSTER, cluster):
        return GONE_SECONDS
    return await carry_out(context, key, cluster, plan.acts, waiting)


def _retire(context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan) -> None:
    """Save the results of workers whose Pods somebody deletes, while their grace period lasts."""
    scheduler = seen.own_scheduler
    if not plan.retire or scheduler is None:
        return
    context.desk.retire(scheduler, seen.placement.addresses(plan.retire), LEAVING_SECONDS, (key,))
    context.recorder.tell(
        seen.cluster, "RetiringWorkers", f"workers are being deleted, retiring them: {names_of(plan.retire)}"
    )


def _ask(context: Context, key: Key, seen: ClusterObserved, plan: ClusterPlan) -> float | None:
    scheduler = seen.own_scheduler
    if scheduler is None or not scheduler.serving:
        return None
    if plan.ask or plan.scheduler.ask:
        return context.desk.ask(scheduler, key, with_activity=plan.scheduler.ask)
    alone = lonely(seen.workers, seen.placement)
    if not alone:
        return None
    waited = connecting_for(alone, scheduler, context.wall())
    return context.connection_check(key, scheduler, seen.roster, waited)
