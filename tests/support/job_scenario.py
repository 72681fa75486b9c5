"""The life of one job on fake nodes, always the same: after each step everything must be exactly right."""

from collections.abc import Iterable, Iterator

from .api_server import MERGE, ApiServer, path_of
from .dask import condition, fake_worker_pods
from .jobs import dask_job, outcomes
from .kubectl import Tree
from .scenario import Step
from .worlds import World

JOB = "batch"

_ENDED = {
    "phase": "Succeeded",
    "containerStatuses": [
        {
            "name": "program",
            "image": "i",
            "imageID": "i",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": None}},
        }
    ],
}


async def _create(api: ApiServer, namespace: str) -> None:
    body = dask_job(JOB, "true", pod=fake_worker_pods(), startPolicy={"workers": 1, "timeoutSeconds": 600})
    await api.call("POST", path_of("daskjobs", namespace), body)


async def _suspend(api: ApiServer, namespace: str) -> None:
    await api.call("PATCH", path_of("daskjobs", namespace, JOB), {"spec": {"suspend": True}}, MERGE)


async def _resume(api: ApiServer, namespace: str) -> None:
    await api.call("PATCH", path_of("daskjobs", namespace, JOB), {"spec": {"suspend": False}}, MERGE)


async def _lose_runner(api: ApiServer, namespace: str) -> None:
    await api.call("DELETE", path_of("pods", namespace, f"{JOB}-runner-2"))


async def _end(api: ApiServer, namespace: str) -> None:
    path = path_of("pods", namespace, f"{JOB}-runner-3", "status")
    await api.call("PATCH", path, {"status": _ENDED}, MERGE)


async def _delete(api: ApiServer, namespace: str) -> None:
    await api.call("DELETE", path_of("daskjobs", namespace, JOB))


def _runs(runner: str, *ended: str) -> "_Check":
    return _Check([*ended, ""], {runner}, cluster=True, jobStatus="Running")


class _Check:
    """How it should be after a step."""

    def __init__(self, attempts: list[str], runners: set[str], cluster: bool, **status: str) -> None:
        self._attempts = attempts
        self._runners = runners
        self._cluster = cluster
        self._status = status

    def __call__(self, world: World) -> Iterable[str]:
        return list(self._problems(world))

    def _problems(self, world: World) -> Iterator[str]:
        job = world.objects["daskjobs"].get(JOB, {})
        status = job.get("status", {})
        if outcomes(job) != self._attempts:
            yield f"attempts: {outcomes(job)}, and {self._attempts} are right"
        for field, value in self._status.items():
            if status.get(field) != value:
                yield f"status.{field} is {status.get(field)}, and {value} is right"
        runners = {pod["metadata"]["name"] for pod in world.pods if _is_runner(pod)}
        if runners != self._runners:
            yield f"runners: {sorted(runners)}, and {sorted(self._runners)} are right"
        wanted = {"daskclusters": 1, "daskworkergroups": 1, "services": 1} if self._cluster else {}
        for plural in ("daskclusters", "daskworkergroups", "services"):
            if len(world.objects[plural]) != wanted.get(plural, 0):
                yield f"{plural}: {sorted(world.objects[plural])}"
        others = len(world.pods) - len(runners)
        if others != (2 if self._cluster else 0):
            yield f"{others} Pods beside the runners"


def _is_runner(pod: Tree) -> bool:
    return bool(pod["metadata"].get("labels", {}).get("dask.org/component") == "job-runner")


def _suspended(world: World) -> Iterable[str]:
    found = list(_Check(["Suspended"], set(), cluster=False)(world))
    held = condition(world.objects["daskjobs"].get(JOB), "Suspended")
    return found if held.get("status") == "True" else [*found, f"Suspended is {held.get('status')}"]


def _nothing(world: World) -> Iterable[str]:
    left = {plural: sorted(held) for plural, held in world.objects.items() if held}
    return [f"left: {left}"] if left else []


JOB_STEPS = (
    Step("create", _create, _runs(f"{JOB}-runner")),
    Step("suspend", _suspend, _suspended),
    Step("resume", _resume, _runs(f"{JOB}-runner-2", "Suspended")),
    Step("lose the runner", _lose_runner, _runs(f"{JOB}-runner-3", "Suspended", "RunnerLost")),
    Step(
        "end",
        _end,
        _Check(
            ["Suspended", "RunnerLost", "Succeeded"],
            {f"{JOB}-runner-3"},
            cluster=False,
            jobStatus="Successful",
        ),
    ),
    Step("delete", _delete, _nothing),
)
