"""The one module that talks to Dask schedulers, over their HTTP API."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import Activity, DaskWorker
from dask_operator.schedulers.workers_page import Load, loads

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
FIRE_AND_FORGET = 1
"""Every scheduler has this many clients of its own."""

CONNECTIONS_PER_SCHEDULER = 4


class DaskSchedulers:
    """HTTP calls to schedulers, by the address of their Pods, on so many ``connections`` at a time.

    A request to retire workers, which takes as long as their results do to move, has one of its own.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()

    async def workers(self, host: str, port: int, with_loads: bool) -> tuple[DaskWorker, ...]:
        """The workers that the scheduler at ``host`` knows, if asked for with what each has to do and to keep.

        Raises:
            SchedulerUnreachable: no answer within seconds, or not the answer of a scheduler.
        """
        base = f"http://{_bracketed(host)}:{port}"
        answer = await self._call("GET", f"{base}/api/v1/get_workers", ANSWER_SECONDS)
        known = await self._loads(base) if with_loads else {}
        try:
            listed = json.loads(answer)["workers"]
            return tuple(_worker(str(item["address"]), str(item["name"]), known) for item in listed)
        except (KeyError, TypeError, ValueError) as error:
            raise SchedulerUnreachable(f"it sent no list of workers: {error!r}") from error

    async def activity(self, host: str, port: int, workers: tuple[DaskWorker, ...]) -> Activity:
        """What the scheduler at ``host`` has to do and to keep; ``workers`` are its own, with their loads.

        Its counts take a walk over all tasks: they are asked for only where no worker has anything.

        Raises:
            SchedulerUnreachable: no answer within seconds, or not the answer of a scheduler.
        """
        busy = sum(worker.busy for worker in workers)
        results = sum(worker.results for worker in workers)
        if busy or results:
            return Activity(clients=0, tasks=busy, results=results)
        url = f"http://{_bracketed(host)}:{port}/json/counts.json"
        answer = await self._call("GET", url, ANSWER_SECONDS)
        try:
            counts = json.loads(answer)
            clients = max(0, int(counts["clients"]) - FIRE_AND_FORGET)
            # Those that wait in the scheduler's own queue are in no other count than the total.
            return Activity(clients, int(counts["tasks"]), int(counts["memory"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SchedulerUnreachable(f"it sent no counts: {error!r}") from error

    async def _loads(self, base: str) -> dict[str, Load]:
        page = await self._call("GET", f"{base}/info/main/workers.html", ANSWER_SECONDS)
        try:
            return loads(page)
        except ValueError as error:
            raise SchedulerUnreachable(f"its page of workers cannot be read: {error}") from error

    async def retire(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        """Ask the scheduler to retire the workers at ``addresses``; returns when it has done what it can.

        A worker whose results nobody else can take stays, and nothing in the answer can be relied on to say so.

        Raises:
            SchedulerUnreachable: no answer within ``seconds``, or the scheduler's HTTP API is off.
        """
        url = f"http://{_bracketed(host)}:{port}/api/v1/retire_workers"
        await self._call("POST", url, seconds, {"workers": addresses}, patient=True)

    async def _call(
        self, verb: str, url: str, seconds: float, body: object = None, patient: bool = False
    ) -> str:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open(patient).request(verb, url, json=body, timeout=timeout) as response:
                if response.status != 200:
                    raise SchedulerUnreachable(_refusal(response.status, url))
                return await response.text()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise SchedulerUnreachable(f"{verb} {url}: {error or type(error).__name__}") from error

    def _open(self, patient: bool) -> aiohttp.ClientSession:
        """The session for quick questions, or for ``patient`` requests, which may hold a connection for minutes."""
        if patient not in self._sessions:
            limit, per_host = (0, 0) if patient else (self._connections, CONNECTIONS_PER_SCHEDULER)
            connector = aiohttp.TCPConnector(limit=limit, limit_per_host=per_host)
            self._sessions[patient] = aiohttp.ClientSession(connector=connector)
        return self._sessions[patient]


def _refusal(status: int, url: str) -> str:
    if status == 404:
        return (
            f"{url} is not served: distributed.http.scheduler.api and .info must be among "
            "distributed.scheduler.http.routes of the scheduler"
        )
    return f"{url} answered HTTP {status}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _worker(address: str, name: str, known: Mapping[str, Load]) -> DaskWorker:
    load = known.get(address, Load(0, 0, 0))
    return DaskWorker(
        address=address,
        name=name,
        host=urlsplit(address).hostname or "",
        busy=load.busy,
        results=load.results,
        memory=load.memory,
    )
