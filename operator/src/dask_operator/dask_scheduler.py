"""The one module that talks to Dask schedulers, over their HTTP API."""

from typing import Any

import aiohttp

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import DaskWorker

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
CONNECTIONS = 100


class DaskSchedulers:
    """HTTP calls to schedulers, by the address of their Pods."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def workers(self, host: str, port: int) -> tuple[DaskWorker, ...]:
        """The workers that the scheduler at ``host`` knows.

        Raises:
            SchedulerUnreachable: no answer within seconds, or not the answer of a scheduler.
        """
        answer = await self._call(
            "GET", f"http://{_bracketed(host)}:{port}/json/identity.json", ANSWER_SECONDS
        )
        try:
            return tuple(_worker(address, identity) for address, identity in answer["workers"].items())
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise SchedulerUnreachable(f"it sent no list of workers: {error!r}") from error

    async def retire(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        """Ask the scheduler to retire the workers at ``addresses``; returns when it has done what it can.

        A worker whose results nobody else can take stays, and nothing in the answer can be relied on to say so.

        Raises:
            SchedulerUnreachable: no answer within ``seconds``, or the scheduler's HTTP API is off.
        """
        url = f"http://{_bracketed(host)}:{port}/api/v1/retire_workers"
        await self._call("POST", url, seconds, {"workers": addresses})

    async def _call(self, verb: str, url: str, seconds: float, body: Any = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(verb, url, json=body, timeout=timeout) as response:
                if response.status != 200:
                    raise SchedulerUnreachable(_refusal(response.status, url))
                return await response.json(content_type=None)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise SchedulerUnreachable(f"{verb} {url}: {error or type(error).__name__}") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, limit_per_host=4)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def _refusal(status: int, url: str) -> str:
    if status == 404:
        return (
            f"{url} is not served: distributed.http.scheduler.api is missing among "
            "distributed.scheduler.http.routes of the scheduler"
        )
    return f"{url} answered HTTP {status}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _worker(address: str, identity: dict[str, Any]) -> DaskWorker:
    metrics = identity.get("metrics") or {}
    tasks = metrics.get("task_counts") or {}
    waiting = ("executing", "ready", "constrained", "waiting", "fetch", "flight", "long-running", "resumed")
    return DaskWorker(
        address=address,
        name=str(identity.get("name", "")),
        host=str(identity.get("host", "")),
        status=str(identity.get("status", "")),
        busy=sum(int(tasks.get(state, 0)) for state in waiting),
        results=int(tasks.get("memory") or 0),
        stored_bytes=int(metrics.get("managed_bytes") or 0),
    )
