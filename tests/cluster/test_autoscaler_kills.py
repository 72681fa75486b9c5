"""Ten clusters in a row that come from nothing and go to nothing, while operator and autoscaler are killed in each."""

import functools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from distributed import Client, Future

from tests.support.dask import bare_worker, dask_client, dask_cluster, workers
from tests.support.kubectl import apply, eventually, get, kubectl, list_objects
from tests.support.outage import need_local_cluster
from tests.support.tally import start_tally

from .test_autoscaler import MOST, QUICK, RELEASE, TASKS, _connected, _work, autoscaler

pytestmark = [pytest.mark.slow, pytest.mark.alone]

USUALLY_SECONDS, LONGEST_SECONDS = 6.0, 10.0
LOOK_SECONDS = 1.5
"""From a submit to the Pods: a cluster at zero is looked at about once a second."""
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
    waits: list[Wait] = []
    for number, kills in enumerate(KILLS):
        wait = _life(namespace, f"run-{number}", tally.address, number * TASKS, kills)
        print(f"run {number}: first worker after {wait.first:.1f} s, bare {wait.bare:.1f} s; kills {kills}")
        if SUBMITTED not in kills:
            waits.append(wait)
    runs = Counter(key for key, _ in tally.runs())
    assert runs == Counter(str(key) for key in range(len(KILLS) * TASKS))
    # A node may need longer than that for as many Pods, whoever makes them.
    usual, longest = (how(wait.bare for wait in waits) + LOOK_SECONDS for how in (median, max))
    assert median(wait.first for wait in waits) <= max(USUALLY_SECONDS, usual)
    assert max(wait.first for wait in waits) <= max(LONGEST_SECONDS, longest)


class Wait(NamedTuple):
    """Seconds until the first worker is connected."""

    first: float
    """After a submit."""
    bare: float
    """Of as many bare Pods, made directly, just before that; 0 where the first wait is not judged."""


def _life(namespace: str, name: str, tally: str, begin: int, kills: Mapping[str, str]) -> Wait:
    """One cluster from nothing to nothing."""
    apply(namespace, dask_cluster(name, 0), autoscaler(name, name, 0, MOST, behavior=QUICK))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", f"daskcluster/{name}", "--timeout=90s")
    with dask_client(namespace, name) as client:
        bare = 0.0 if SUBMITTED in kills else _bare(client, namespace, name)
        _both_lead()
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
    return Wait(first, bare)


def _bare(client: Client, namespace: str, cluster: str) -> float:
    """Seconds until the first of ``MOST`` bare worker Pods is connected; none of them is left."""
    pods = [bare_worker(f"{cluster}-bare-{number}", cluster) for number in range(MOST)]
    began = time.monotonic()
    apply(namespace, *pods)
    eventually("the first bare worker", _some(client, 1), 60, every=0.05)
    seconds = time.monotonic() - began
    eventually("all bare workers", _some(client, MOST), 60)
    names = [pod["metadata"]["name"] for pod in pods]
    kubectl("delete", "pod", *names, "-n", namespace, "--grace-period=1")
    eventually("no bare worker", lambda: not _connected(client), 60)
    return seconds


def _some(client: Client, number: int) -> Callable[[], bool]:
    return lambda: _connected(client) >= number


def _both_lead() -> None:
    """Wait until both programs work: after a kill the next one has to wait until the Lease is over."""
    for part, lease in (("operator", "dask-operator"), ("autoscaler", "dask-operator-autoscaler")):
        selector = f"app.kubernetes.io/component={part}"
        eventually(f"the {part} to hold its Lease", functools.partial(_held, lease, selector), 90)


def _held(lease: str, selector: str) -> bool:
    """Whether the holder of a Lease is one of the Pods that there are."""
    held = get(RELEASE, "lease", lease) or {}
    holder = str(held.get("spec", {}).get("holderIdentity") or "").partition("_")[0]
    return holder in {pod["metadata"]["name"] for pod in list_objects(RELEASE, "pods", selector)}
