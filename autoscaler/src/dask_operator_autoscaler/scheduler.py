"""The one module that talks to Dask schedulers, over HTTP. It only asks.

Each question is as cheap as can be: see ``docs/decisions`` for what each costs a scheduler.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import aiohttp

from dask_operator_autoscaler import workers_page
from dask_operator_autoscaler.answers import Answers, Counts, Row
from dask_operator_autoscaler.demand import Place, needs_counts, needs_rows
from dask_operator_autoscaler.errors import SchedulerUnreachable

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0


class Lane(Enum):
    """Which connections a question may use."""

    QUICK = 256
    """For schedulers that have answered the last time."""
    SLOW = 32
    """For those that have not: they must not take the connections of the others."""


@dataclass(frozen=True)
class Question:
    """Whom the answers are for: a group, and the bounds within which its number may change."""

    place: Place
    minimum: int
    maximum: int


class Schedulers:
    """HTTP calls to schedulers, on a bounded number of connections. Close it at the end.

    Args:
        asked: told how many seconds a scheduler was asked for, and whether it has answered.
    """

    def __init__(self, asked: Callable[[float, bool], None] = lambda seconds, answered: None) -> None:
        self._asked = asked
        self._sessions: dict[Lane, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()

    async def ask(
        self, base: str, questions: Sequence[Question], only_group: str = "", lane: Lane = Lane.QUICK
    ) -> Answers:
        """What the scheduler at ``base`` (``http://host:port``) says, as far as the questions need it.

        A cluster that has no worker, wants none and should have none is asked for one number only. Where there is
        an ``only_group``, workers whose names do not tell their group are taken for its own.

        Raises:
            SchedulerUnreachable: it does not answer within seconds, or not as a scheduler does.
        """
        began, answered = time.monotonic(), False
        try:
            answers = await self._answers(base, questions, only_group, lane)
            answered = True
        finally:
            self._asked(time.monotonic() - began, answered)
        return answers

    async def _answers(
        self, base: str, questions: Sequence[Question], only_group: str, lane: Lane
    ) -> Answers:
        target = await self._target(base, lane)
        if not target and not any(question.place.replicas for question in questions):
            return Answers(0, ())
        answers = Answers(target, await self._names(base, lane))
        answers = answers.adopted(only_group)
        if any(needs_rows(q.place, answers, q.minimum, q.maximum) for q in questions):
            page = await self._get(f"{base}/info/main/workers.html", lane)
            answers = replace(answers, rows=_rows(page)).adopted(only_group)
        if any(needs_counts(q.place, answers) for q in questions):
            answers = replace(answers, counts=await self._counts(base, lane))
        return answers

    async def _target(self, base: str, lane: Lane) -> int:
        answer = await self._json(f"{base}/api/v1/adaptive_target", lane)
        return _number(answer, "workers")

    async def _names(self, base: str, lane: Lane) -> tuple[str, ...]:
        answer = await self._json(f"{base}/api/v1/get_workers", lane)
        try:
            return tuple(str(worker["name"]) for worker in answer["workers"])
        except (KeyError, TypeError) as error:
            raise SchedulerUnreachable(f"it sent no list of workers: {error!r}") from error

    async def _counts(self, base: str, lane: Lane) -> Counts:
        answer = await self._json(f"{base}/json/counts.json", lane)
        known = {key: _number(answer, key) for key in _COUNTED}
        elsewhere = sum(known[key] for key in ("memory", "processing", "released", "waiting", "erred"))
        return Counts(max(0, known["tasks"] - elsewhere), known["unrunnable"], known["bytes"])

    async def _json(self, url: str, lane: Lane) -> dict[str, Any]:
        text = await self._get(url, lane)
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise SchedulerUnreachable(f"{url} did not answer with JSON") from error
        if not isinstance(answer, dict):
            raise SchedulerUnreachable(f"{url} did not answer with an object")
        return answer

    async def _get(self, url: str, lane: Lane) -> str:
        try:
            async with self._open(lane).get(url) as response:
                if response.status != 200:
                    raise SchedulerUnreachable(_refusal(response.status, url))
                return await response.text()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise SchedulerUnreachable(f"{url}: {error or type(error).__name__}") from error

    def _open(self, lane: Lane) -> aiohttp.ClientSession:
        if lane not in self._sessions:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(limit=lane.value, limit_per_host=2, ttl_dns_cache=30)
            self._sessions[lane] = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._sessions[lane]


_COUNTED = ("tasks", "memory", "processing", "released", "waiting", "erred", "unrunnable", "bytes")


def _number(answer: dict[str, Any], key: str) -> int:
    value = answer.get(key)
    if not isinstance(value, int | float):
        raise SchedulerUnreachable(f"its answer has no number {key!r}")
    return max(0, int(value))


def _rows(page: str) -> tuple[Row, ...]:
    try:
        return workers_page.rows(page)
    except ValueError as error:
        raise SchedulerUnreachable(f"its page of workers cannot be read: {error}") from error


def _refusal(status: int, url: str) -> str:
    if status == 404:
        return (
            f"{url} is not served: distributed.http.scheduler.api, .info and .json must be among "
            "distributed.scheduler.http.routes of the scheduler"
        )
    return f"{url} answered HTTP {status}"
