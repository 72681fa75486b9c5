"""Ten clusters in a row that come from nothing and go to nothing, while operator and autoscaler are killed in each."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

import pytest
from distributed import Client, Future

from tests.support.dask import dask_client, dask_cluster, workers
from tests.support.kubectl import apply, eventually, kubectl, list_objects
from tests.support.outage import need_local_cluster
from tests.support.tally import start_tally

from .test_autoscaler import MOST, QUICK, RELEASE, TASKS, _connected, _work, autoscaler

pytestmark = [pytest.mark.slow, pytest.mark.alone]

USUALLY_SECONDS, LONGEST_SECONDS = 6.0, 10.0
PROGRAMS = {
    "operator": "/opt/dask-operator/bin/dask-operator",
    "autoscaler": "/opt/dask-operator-autoscaler/bin/dask-operator-autoscaler",
}

SUBMITTED, WORKING, DONE, SHRINKING = "submitted", "working", "done", "shrinking"

KILLS = (
    {WORKING: "autoscaler", DONE: "operator"},
    {DONE: "autoscaler", WORKING: "operator"},
    {SUBMITTED: "autoscaler", WORKING: "operator"},
    {DONE: "autoscaler", SHRINKING: "operator"},
    {SHRINKING: "autoscaler", DONE: "operator"},
    {WORKING: "autoscaler", SUBMITTED: "operator"},
    {SHRINKING: "autoscaler", WORKING: "operator"},
    {WORKING: "autoscaler", SHRINKING: "operator"},
    {SUBMITTED: "autoscaler", DONE: "operator"},
    {DONE: "autoscaler", SHRINKING: "operator"},
)
"""When who is killed, run by run."""


def kill(part: str | None) -> None:
    """SIGKILL a program, if any, and have its Pod replaced: its container would be kept waiting after some kills."""
    if part is None:
        return
    pods = list_objects(RELEASE, "pods", f"app.kubernetes.io/component={part}")
    for pid in processes(PROGRAMS[part]):
        os.kill(pid, signal.SIGKILL)
    for pod in pods:
        name = pod["metadata"]["name"]
        kubectl("delete", "pod", name, "-n", RELEASE, "--grace-period=0", "--force", "--ignore-not-found")


def processes(program: str) -> Iterator[int]:
    """The processes of this machine that run a program."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if program.encode() in words:
            yield int(folder.name)


def test_ten_in_a_row_with_a_kill_of_each_part_in_each(namespace: str) -> None:
    need_local_cluster()
    tally = start_tally(namespace)
    firsts: dict[int, float] = {}
    for number, kills in enumerate(KILLS):
        first = _life(namespace, f"run-{number}", tally.address, number * TASKS, kills)
        print(f"run {number}: first worker after {first:.1f} s; kills {kills}")
        if SUBMITTED not in kills:
            firsts[number] = first
    runs = Counter(key for key, _ in tally.runs())
    assert runs == Counter(str(key) for key in range(len(KILLS) * TASKS))
    assert median(firsts.values()) <= USUALLY_SECONDS
    assert max(firsts.values()) <= LONGEST_SECONDS


def _life(namespace: str, name: str, tally: str, begin: int, kills: Mapping[str, str]) -> float:
    """One cluster from nothing to nothing; gives the seconds from the submit to the first worker."""
    apply(namespace, dask_cluster(name, 0), autoscaler(name, name, 0, MOST, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", f"daskcluster/{name}", "--timeout=90s")
    _both_ready()
    with dask_client(namespace, name) as client:
        numbers = range(begin, begin + TASKS)
        began = time.monotonic()
        futures: list[Future] = client.map(_work, numbers, tally=tally)
        kill(kills.get(SUBMITTED))
        eventually("the first worker", _some(client, 1), 60, every=0.05)
        first = time.monotonic() - began
        kill(kills.get(WORKING))
        eventually("all that it may have", _some(client, MOST), 90)
        assert client.gather(futures) == list(numbers)
        kill(kills.get(DONE))
        del futures
        group = f"{name}-default"
        eventually("the first to go", lambda: len(workers(namespace, group)) < MOST, 120)
        kill(kills.get(SHRINKING))
        eventually("no worker", lambda: not workers(namespace, group, alive=False), 120)
    kubectl("delete", "daskcluster", name, "-n", namespace)
    return first


def _some(client: Client, number: int) -> Callable[[], bool]:
    return lambda: _connected(client) >= number


def _both_ready() -> None:
    for deployment in ("dask-operator", "dask-operator-autoscaler"):
        kubectl("rollout", "status", f"deployment/{deployment}", "-n", RELEASE, "--timeout=90s")
