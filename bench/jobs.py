"""Two hundred DaskJobs of one short task each, submitted at once, against as many plain Jobs (batch/v1)."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench.cluster import BenchError, Tree, dask_image, namespace
from localcluster import api, paths

JOBS = 200
REAL = 4
"""How many of them run a real program, of DaskJobs with a real cluster; nothing runs of the others, on fake nodes."""

LIMIT = 900.0
"""Seconds until all have to have ended."""

LOOK_SECONDS = 0.5
FAKE: Tree = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
}
WITH_DASK = "from distributed import Client; print(Client(timeout=120).submit(sum, [1, 2]).result())"
WITHOUT = "print(sum([1, 2]))"


def run() -> Iterator[str]:
    """The time until all have ended; with what they make beside their Pod, DaskJobs cannot be as fast."""
    if not paths.audit_log().exists():
        raise BenchError("fake nodes are needed: this benchmark runs on the local cluster only")
    image = dask_image()
    plain = _measured("bench-plain", "/apis/batch/v1", "jobs", [_plain_job(n, image) for n in range(JOBS)])
    yield f"{JOBS} Jobs of batch/v1, {REAL} of them real: all ended after {max(plain):.0f} s"
    ours = _measured(
        "bench-jobs", "/apis/kubernetes.dask.org/v1", "daskjobs", [_dask_job(n, image) for n in range(JOBS)]
    )
    half = f"half of them after {median(ours):.0f} s"
    yield f"{JOBS} DaskJobs, {REAL} of them real: all ended after {max(ours):.0f} s, {half}"
    beside = "a scheduler, a worker, a Service, a DaskCluster and a DaskWorkerGroup more for each"
    yield f"{max(ours) / max(plain):.1f} times as long, with {beside}"


def _measured(prefix: str, group: str, plural: str, bodies: list[Tree]) -> list[float]:
    """Seconds from the first submission until each of the jobs was seen to have ended."""
    with namespace(prefix) as space:
        path = f"{group}/namespaces/{space}/{plural}"
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda body: api.call("POST", path, body), bodies))
        ended: dict[str, float] = {}
        while len(ended) < len(bodies):
            _end_fake_programs(space)
            for name, condition in _terminal(_items(path)):
                if condition == "Failed":
                    raise BenchError(f"{plural} {name} has failed")
                ended.setdefault(name, time.monotonic() - start)
            if time.monotonic() - start > LIMIT:
                stuck = sorted({body["metadata"]["name"] for body in bodies} - set(ended))
                raise BenchError(f"not ended after {LIMIT:.0f} s: {', '.join(stuck)}")
            time.sleep(LOOK_SECONDS)
        return list(ended.values())


def _items(path: str) -> list[Any]:
    found = api.call("GET", path)["items"]
    return found if isinstance(found, list) else []


def _terminal(items: list[Any]) -> Iterator[tuple[str, str]]:
    """Name and terminal condition of the jobs that have one."""
    for item in items:
        for condition in item.get("status", {}).get("conditions") or ():
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                yield item["metadata"]["name"], condition["type"]


def _end_fake_programs(space: str) -> None:
    """End the programs of DaskJobs that "run" on fake nodes; those of Jobs are ended by kwok itself."""
    pods = _items(f"/api/v1/namespaces/{space}/pods?labelSelector=dask.org/component%3Djob-runner")
    fake = [pod for pod in pods if pod["spec"].get("nodeName", "").startswith("fake-")]
    running = [pod for pod in fake if pod["status"].get("phase") == "Running"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_end, running))


def _end(pod: Any) -> None:
    [report] = pod["status"]["containerStatuses"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    pod["status"] |= {
        "phase": "Succeeded",
        "conditions": [],
        "containerStatuses": [report | {"ready": False, "started": False, "state": {"terminated": ended}}],
    }
    meta = pod["metadata"]
    _unless_changed(
        lambda: api.call("PUT", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status", pod)
    )


def _unless_changed(write: Callable[[], object]) -> None:
    """Write, unless the object has just changed or gone: the next look finds it again."""
    try:
        write()
    except api.ApiError as error:
        if error.status not in (404, 409):
            raise


def _program(image: str, code: str, fake: bool) -> Tree:
    container = {"name": "program", "image": image, "command": ["python", "-c", code]}
    return {"containers": [container], **(FAKE if fake else {})}


def _plain_job(number: int, image: str) -> Tree:
    pod = {**_program(image, WITHOUT, number >= REAL), "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"plain-{number}"},
        "spec": {"template": {"spec": pod}},
    }


def _dask_job(number: int, image: str) -> Tree:
    fake = number >= REAL
    pods = {"spec": FAKE} if fake else {}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskJob",
        "metadata": {"name": f"short-{number}"},
        "spec": {
            "job": {"spec": _program(image, WITH_DASK, fake)},
            "cluster": {"spec": {"scheduler": pods, "worker": {"replicas": 1, **pods}}},
        },
    }
