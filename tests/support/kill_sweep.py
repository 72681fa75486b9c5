"""The operator killed between two of its calls, or between a call and its answer, while lives are under way."""

import asyncio
import random
from dataclasses import dataclass, field

from .api_calls import Point
from .fault_sweep import Sweep
from .operator_process import OperatorProcess
from .scenario import Life

MOST_CALLS = 60
"""The next kill comes after as many calls at most; a life has about fifty."""

LIMIT = 300.0
"""Seconds. More than a step takes while the operator is killed again and again, and looks around at each start."""

NEXT_KILL_SECONDS = 120.0


@dataclass
class Kills:
    """What was killed, and what came of it."""

    wanted: int
    done: int = 0
    before: int = 0
    """Kills of which the call did not reach the API server; after the others, the answer did not come back."""
    moments: list[Point] = field(default_factory=list)
    """For each kill and each life under way: the last call of that life."""
    lives: list[Life] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """Everything that was not right."""
        return [f"{life.namespace}: {life.failure}" for life in self.lives if life.failure] + self.late

    def __str__(self) -> str:
        return (
            f"{self.done} kills, {self.before} before and {self.done - self.before} after the call had reached the "
            f"API server; {len(self.lives)} lives, {len(self.failures)} failures; the kills met a life under way "
            f"{len(self.moments)} times, after {len(set(self.moments))} different calls"
        )


async def kill_again_and_again(
    sweep: Sweep, operator: OperatorProcess, wanted: int, seed: int, lanes: int
) -> Kills:
    """Lives one after another in ``lanes`` lanes, until the operator was killed as often as ``wanted``."""
    kills = Kills(wanted)
    running = [asyncio.create_task(_lane(sweep, kills)) for _ in range(lanes)]
    chance = random.Random(seed)
    try:
        while kills.done < wanted:
            await _kill_once(sweep, operator, kills, chance)
    finally:
        kills.wanted = kills.done
        await asyncio.gather(*running)
    kills.late = sweep.afterwards(kills.lives)
    return kills


async def _lane(sweep: Sweep, kills: Kills) -> None:
    while kills.done < kills.wanted:
        number = kills.done
        life = await sweep.life(f"from kill {number}", limit=LIMIT)
        kills.lives.append(life)


async def _kill_once(sweep: Sweep, operator: OperatorProcess, kills: Kills, chance: random.Random) -> None:
    killed, loop = asyncio.Event(), asyncio.get_running_loop()

    def kill() -> None:
        operator.kill()
        loop.call_soon_threadsafe(killed.set)

    before = chance.random() < 0.5
    sweep.proxy.interrupt(sweep.proxy.seen + chance.randint(1, MOST_CALLS), before, kill)
    await asyncio.wait_for(killed.wait(), NEXT_KILL_SECONDS)
    kills.moments += sweep.moments()
    kills.done += 1
    kills.before += before
    operator.start()
