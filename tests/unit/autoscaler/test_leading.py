"""When the autoscaler wants to lead, and what it does when it may."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from dask_operator_api.leadership import LeadershipLost
from dask_operator_autoscaler import main


async def test_the_lease_is_wanted_when_everything_is_known_and_then_the_work_begins() -> None:
    happened: list[str] = []
    known = asyncio.Event()

    async def acquire() -> None:
        happened.append("acquired")

    async def hold() -> None:
        happened.append("held")
        raise LeadershipLost("another holds it")

    parts: Any = SimpleNamespace(
        watching=SimpleNamespace(known=known),
        leadership=SimpleNamespace(acquire=acquire, hold=hold),
        loop=SimpleNamespace(look_around=lambda: happened.append("looked around")),
    )
    leading = asyncio.create_task(main._lead(parts))
    await asyncio.sleep(0)
    assert happened == []
    known.set()
    with pytest.raises(LeadershipLost):
        async with asyncio.timeout(5):
            await leading
    assert happened == ["acquired", "looked around", "held"]
