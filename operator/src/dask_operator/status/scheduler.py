"""The scheduler's part of a cluster's status."""

from dask_operator_api.manifests import Manifest, section
from dask_operator_api.times import rfc3339, timestamp

from dask_operator.observed import End, PodView
from dask_operator.plan.cluster_world import ClusterObserved
from dask_operator.plan.scheduler import SchedulerPlan


def scheduler_status(seen: ClusterObserved, plan: SchedulerPlan, log: str) -> Manifest:
    """``status.scheduler``: ``restarts`` counts the lives that it has had after the first.

    ``log`` has the last lines of one that has just ended.
    """
    before = section(seen.cluster.status, "scheduler")
    remembered = {
        "lost": [rfc3339(at) for at in plan.losses],
        "lostUID": plan.lost,
        "replacedUID": plan.replaced or str(before.get("replacedUID") or ""),
    }
    pod = seen.own_scheduler
    ended_well = pod.uid if pod is not None and pod.ended_well else before.get("endedWellUID")
    if ended_well:
        remembered["endedWellUID"] = ended_well
    if pod is None:
        restarts = int(before.get("restarts") or 0)
        return {**before, **remembered, "ready": False, "restarts": restarts}
    return {
        **remembered,
        **_last_end(seen, pod, log),
        "podName": pod.name,
        "podUID": pod.uid,
        "containerRestarts": pod.restarts,
        "restarts": _restarts(before, pod),
        "ready": pod.ready and pod.alive,
    }


def new_end(seen: ClusterObserved) -> End | None:
    """How the scheduler ended last, if that is not in the status yet and is no good end."""
    pod = seen.own_scheduler
    if pod is None or pod.end is None or pod.end.exit_code == 0:
        return None
    told = section(seen.cluster.status, "scheduler", "lastEnd")
    known = told.get("podUID") == pod.uid and timestamp(told.get("time")) == int(pod.end.at)
    return None if known else pod.end


def _last_end(seen: ClusterObserved, pod: PodView, log: str) -> Manifest:
    before = section(seen.cluster.status, "scheduler", "lastEnd")
    end = new_end(seen)
    if end is None:
        return {"lastEnd": before} if before else {}
    return {
        "lastEnd": {
            "podUID": pod.uid,
            "time": rfc3339(end.at),
            "exitCode": end.exit_code,
            "reason": end.reason,
            "message": end.message,
            "log": log,
        }
    }


def _restarts(before: Manifest, pod: PodView) -> int:
    restarts = int(before.get("restarts") or 0)
    last_uid, last_restarts = before.get("podUID"), int(before.get("containerRestarts") or 0)
    if last_uid and last_uid != pod.uid:
        return restarts + 1 + pod.restarts
    return restarts + max(0, pod.restarts - last_restarts) if last_uid else restarts
