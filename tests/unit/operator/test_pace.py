"""Calls at no more than a certain rate."""

import asyncio
from typing import Any

import pytest
from dask_operator.api_server.pace import Pace


class Loop:
    """A loop's time, which goes on only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    def time(self) -> float:
        return self.now

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds


def calls(pace: Pace, many: int) -> None:
    """Make calls one after another, without a loop: nothing in them really waits."""
    for _ in range(many):
        turn: Any = pace.turn()
        with pytest.raises(StopIteration):
            turn.send(None)


def test_after_a_pause_a_seconds_worth_of_calls_goes_through_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)
    calls(Pace(50), 50)
    assert loop.now == pytest.approx(1000.0)


def test_more_calls_than_that_come_at_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)
    calls(Pace(50), 50 + 100)
    assert loop.now == pytest.approx(1002.0)


def test_a_rate_of_zero_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)
    calls(Pace(0), 10_000)
    assert loop.now == 1000.0
