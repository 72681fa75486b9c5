"""Dask schedulers for fake nodes: the Pods there have addresses, and nobody behind them.

The addresses are made to answer on this machine, all by one small HTTP server. By the address that a connection came
in on it knows which scheduler Pod is meant; its workers are the cluster's running worker Pods. A worker that is
retired ends as a real one does: its container exits 0.
"""

import asyncio
import ipaddress
import socket
import subprocess
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .api_server import STRATEGIC, ApiServer, Refused, path_of
from .background import background
from .kubectl import Tree

RANGE = ipaddress.ip_network("10.245.0.0/16")
"""The addresses of Pods on fake nodes."""

PORT = 8787
SELECTOR = "dask.org/cluster-name,dask.org/component in (scheduler,worker)"
PATCHES_AT_A_TIME = 16

_ROUTE = ("local", str(RANGE), "dev", "lo")

ClusterName = tuple[str, str]
"""Namespace and name."""


@dataclass
class Load:
    """What a scheduler says of itself; tests set it. As it is made, the scheduler is idle."""

    clients: int = 0
    processing: int = 0
    """Tasks on each worker."""
    results: int = 0
    """Finished results on each worker."""
    unrunnable: int = 0
    target: int | None = None
    """The number of workers it asks for; None means as many as it has."""


@dataclass
class _Cluster:
    """The Pods of one cluster."""

    workers: dict[str, str] = field(default_factory=dict)
    """Name of a running worker Pod → its address."""
    leaving: set[str] = field(default_factory=set)
    """Names of Pods whose workers were retired."""

    def listed(self) -> dict[str, str]:
        """Name → Dask address of the workers that the scheduler knows."""
        known = {name: ip for name, ip in self.workers.items() if name not in self.leaving}
        return {name: f"tcp://{ip}:40000" for name, ip in known.items()}


class StubSchedulers:
    """All schedulers of the fake nodes. Make it with :func:`stub_schedulers`."""

    def __init__(self) -> None:
        self.loads: dict[ClusterName, Load] = defaultdict(Load)
        self._clusters: dict[ClusterName, _Cluster] = defaultdict(_Cluster)
        self._schedulers: dict[str, ClusterName] = {}
        """Address of a scheduler Pod → its cluster."""
        self._api = ApiServer()
        self._patches = asyncio.Semaphore(PATCHES_AT_A_TIME)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Know all Pods, and answer."""
        await self._api.__aenter__()
        listed = asyncio.Event()
        self._spawn(self._api.follow(path_of("pods"), SELECTOR, self._saw, listed))
        await asyncio.wait_for(listed.wait(), 30)
        self._runner = web.ServerRunner(web.Server(self._answer), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", PORT, backlog=1024).start()

    async def stop(self) -> None:
        """Answer no more.

        Raises:
            ExceptionGroup: something in the background had failed before that.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        await self._api.__aexit__(None, None, None)
        if self._failures:
            raise ExceptionGroup("the stub schedulers broke", self._failures)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._failures.append(error)

    # -- Pods

    def _saw(self, event: str, pod: Tree) -> None:
        ip = pod.get("status", {}).get("podIP", "")
        if not ip or ipaddress.ip_address(ip) not in RANGE:
            return
        meta = pod["metadata"]
        key = (meta["namespace"], meta["labels"]["dask.org/cluster-name"])
        runs = event != "DELETED" and pod["status"].get("phase") == "Running"
        if meta["labels"]["dask.org/component"] == "scheduler":
            if runs:
                self._schedulers[ip] = key
            elif self._schedulers.get(ip) == key:
                del self._schedulers[ip]
        elif runs:
            self._clusters[key].workers[meta["name"]] = ip
        else:
            self._ended(key, meta["name"])

    def _ended(self, key: ClusterName, worker: str) -> None:
        cluster = self._clusters[key]
        cluster.workers.pop(worker, None)
        cluster.leaving.discard(worker)
        if not cluster.workers:
            del self._clusters[key]

    async def _end(self, namespace: str, worker: str) -> None:
        """What a kubelet writes when a container exits 0."""
        async with self._patches:
            try:
                pod = await self._api.call("GET", path_of("pods", namespace, worker))
                body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": ended_status(pod)}
                await self._api.call("PATCH", path_of("pods", namespace, worker, "status"), body, STRATEGIC)
            except Refused as error:
                if error.status not in (404, 409):  # somebody was quicker: the Pod is gone
                    raise

    # -- HTTP

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        local = request.transport.get_extra_info("sockname")[0] if request.transport else ""
        key = self._schedulers.get(local)
        if key is None:
            return web.Response(status=503, text=f"no scheduler Pod runs at {local}\n")
        path = request.path
        if path == "/api/v1/retire_workers" and request.method == "POST":
            wanted = (await request.json()).get("workers", [])
            return web.json_response(self._retire(key, wanted))
        if path == "/info/main/workers.html":
            return web.Response(text=self._page(key), content_type="text/html")
        answers = {
            "/api/v1/get_workers": self._workers,
            "/api/v1/adaptive_target": self._target,
            "/json/counts.json": self._counts,
        }
        if path in answers:
            return web.json_response(answers[path](key))
        return web.Response(
            status=200 if path == "/health" else 404, text="ok\n" if path == "/health" else ""
        )

    def _known(self, key: ClusterName) -> dict[str, str]:
        return self._clusters[key].listed() if key in self._clusters else {}

    def _load(self, key: ClusterName) -> Load:
        return self.loads[key] if key in self.loads else Load()

    def _retire(self, key: ClusterName, addresses: list[str]) -> Tree:
        retired = {name: at for name, at in self._known(key).items() if at in addresses}
        for name in retired:
            self._clusters[key].leaving.add(name)
            self._spawn(self._end(key[0], name))
        return {address: {"name": name} for name, address in retired.items()}

    def _workers(self, key: ClusterName) -> Tree:
        workers = [{"name": name, "address": address} for name, address in self._known(key).items()]
        return {"num_workers": len(workers), "workers": workers}

    def _target(self, key: ClusterName) -> Tree:
        target = self._load(key).target
        return {"workers": len(self._known(key)) if target is None else target}

    def _counts(self, key: ClusterName) -> Tree:
        load, workers = self._load(key), len(self._known(key))
        busy, held = load.processing * workers, load.results * workers
        zeros = dict.fromkeys(("bytes", "erred", "released", "saturated", "waiting", "waiting_data"), 0)
        return {
            **zeros,
            "clients": load.clients,
            "cores": workers,
            "hosts": workers,
            "idle": 0 if load.processing else workers,
            "memory": held,
            "processing": busy,
            "tasks": busy + held + load.unrunnable,
            "unrunnable": load.unrunnable,
            "workers": workers,
            "desired_workers": self._target(key)["workers"],
        }

    def _page(self, key: ClusterName) -> str:
        load = self._load(key)
        titles = "".join(
            f"<th> {title} </th>" for title in ("Worker", "Name", "Memory use", "Processing", "In-memory")
        )
        rows = "".join(
            f"<tr><td><a href='x'>{address}</a></td><td> {name} </td>"
            f"<td><progress value='100000000' max='400000000'></progress></td>"
            f"<td> {load.processing} </td><td> {load.results} </td></tr>"
            for name, address in self._known(key).items()
        )
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"


def ended_status(pod: Tree) -> Tree:
    """The change of a running Pod's status, as a strategic merge patch, when all its containers exit 0."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ended(report: Tree) -> Tree:
        started = report.get("state", {}).get("running", {}).get("startedAt", now)
        end = {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": now}
        return {**report, "ready": False, "started": False, "state": {"terminated": end}}

    reports = [ended(report) for report in pod["status"].get("containerStatuses", [])]
    conditions = [
        {"type": kind, "status": "False", "reason": "PodCompleted", "lastTransitionTime": now}
        for kind in ("Ready", "ContainersReady")
    ]
    return {"phase": "Succeeded", "conditions": conditions, "containerStatuses": reports}


@contextmanager
def stub_schedulers() -> Iterator[StubSchedulers]:
    """Schedulers behind all scheduler Pods of fake nodes; one such server at a time on a machine."""
    _no_other()
    with background("stub schedulers") as side:
        stub = side.run(_made())
        side.run(stub.start())
        subprocess.run(["ip", "route", "replace", *_ROUTE], check=True, timeout=10)
        try:
            yield stub
        finally:
            subprocess.run(["ip", "route", "del", *_ROUTE], check=True, timeout=10)
            side.run(stub.stop())


async def _made() -> StubSchedulers:
    return StubSchedulers()


def _no_other() -> None:
    """Fail with the port's number where something else has it, before anything is changed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("0.0.0.0", PORT))
