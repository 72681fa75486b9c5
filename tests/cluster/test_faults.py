"""One call to the API server fails, whichever it is and however it fails: everything ends exactly right."""

import asyncio
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.support import namespaces
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.fault_sweep import Report, all_cases, sweep, until_met
from tests.support.job_scenario import JOB_STEPS
from tests.support.kill_sweep import Kills, kill_again_and_again
from tests.support.kubectl import eventually
from tests.support.operator_process import OperatorProcess, operator_process
from tests.support.scenario import STEPS, Life, Step
from tests.support.stub_schedulers import stub_schedulers

# What a failing call comes to is the same wherever the operator may work.
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(bool(namespaces.WATCHED), reason="it uses dozens of namespaces of its own"),
]

WATCHED = (
    "daskclusters",
    "daskworkergroups",
    "daskjobs",
    "daskautoscalers",
    "pods",
    "services",
    "poddisruptionbudgets",
)

EACH_WATCHED = [pytest.param((resource,), marks=pytest.mark.slow) for resource in WATCHED]

SILENT_SECONDS = 100.0
"""More than the operator lets a watch be silent before it opens another one."""

SEED = 20261122
LANES = 16
KILL_LANES = 6
DRY_RUNS = 3

NO_RESYNC = {"DASK_OPERATOR_RESYNC_SECONDS": "86400"}
"""The operator must be right again by itself, not because it looks at everything from time to time."""

OFTEN_LISTED = {"DASK_OPERATOR_RESYNC_SECONDS": "10"}


@dataclass
class Stage:
    """What a sweep needs."""

    proxy: FaultProxy
    operator: OperatorProcess


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The operator with the settings of ``request.param``, behind the proxy; fake nodes have schedulers."""
    with stub_schedulers(), fault_proxy() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        with operator_process(tmp_path_factory.mktemp("operator"), url, request.param) as operator:
            yield Stage(proxy, operator)


by_itself = pytest.mark.parametrize("stage", [NO_RESYNC], indirect=True, ids=["by itself"])
by_resync = pytest.mark.parametrize("stage", [OFTEN_LISTED], indirect=True, ids=["listed often"])


@by_itself
@pytest.mark.parametrize("sample", [24, pytest.param(None, marks=pytest.mark.slow, id="all")])
def test_any_one_call_may_fail_in_any_way(stage: Stage, sample: int | None) -> None:
    _sweep_over(stage, STEPS, sample)


@by_itself
@pytest.mark.parametrize("sample", [6, pytest.param(None, marks=pytest.mark.slow, id="all")])
def test_any_one_call_may_fail_in_any_way_in_the_life_of_a_job(stage: Stage, sample: int | None) -> None:
    _sweep_over(stage, JOB_STEPS, sample)


def _sweep_over(stage: Stage, steps: Sequence[Step], sample: int | None) -> None:
    report, points, enough = asyncio.run(_sweep(stage, steps, sample))
    print(_summary(report, points))
    assert not report.failures, report.told(stage.operator.log)
    assert report.met >= enough, "too few calls came:\n" + "\n".join(map(str, report.not_met))


async def _sweep(stage: Stage, steps: Sequence[Step], sample: int | None) -> tuple[Report, int, float]:
    """What a sweep came to, how many calls the scenario has, and of how many cases the calls must have come."""
    async with sweep(stage.proxy, LANES, steps) as running:
        points = await running.points(DRY_RUNS)
        cases = all_cases(points)
        if sample is None:
            return await running.cases(cases), len(points), 3 / 4 * len(cases)
        random.Random(SEED).shuffle(cases)
        return await until_met(running.cases, cases, sample), len(points), sample


@by_itself
@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_the_operator_may_be_killed_between_any_two_calls(stage: Stage, kills: int) -> None:
    done = asyncio.run(_kills(stage, kills))
    print(done)
    assert not done.failures, "\n".join(done.failures)


async def _kills(stage: Stage, kills: int) -> Kills:
    async with sweep(stage.proxy, KILL_LANES) as running:
        return await kill_again_and_again(running, stage.operator, kills, SEED, KILL_LANES)


@by_itself
@pytest.mark.parametrize("resources", [WATCHED, *EACH_WATCHED], ids="+".join)
@pytest.mark.parametrize(
    "fault", ["cut in the middle of a line", "ended by 410", "ended by 410, list refused"]
)
def test_a_watch_that_ends_badly_before_each_step_is_taken_up_again(
    stage: Stage, fault: str, resources: tuple[str, ...]
) -> None:
    act = stage.proxy.end_watches if fault.startswith("ended") else stage.proxy.cut_watches

    def spoil(_: str) -> None:
        for resource in resources:
            if fault.endswith("refused"):
                stage.proxy.refuse_list(resource, 500)
            eventually(f"a watch of {resource} to spoil", functools.partial(act, resource), 30)

    _all_right([asyncio.run(_one_life(stage, spoil))], stage)


@pytest.mark.slow
@by_itself
def test_silent_watches_are_given_up_in_the_end(stage: Stage) -> None:
    def silence(step: str) -> None:
        for resource in WATCHED if step == "scale up" else ():
            assert stage.proxy.silence_watches(resource), f"there is no watch of {resource}"

    _all_right([asyncio.run(_one_life(stage, silence))], stage)


async def _one_life(stage: Stage, before: Callable[[str], None]) -> Life:
    async with sweep(stage.proxy, 1) as running:
        return await running.life("one", before=before, limit=SILENT_SECONDS)


@pytest.mark.slow
@by_resync
@pytest.mark.parametrize("resources", [WATCHED, ("daskworkergroups",), ("pods",)], ids="+".join)
def test_a_watch_that_goes_silent_is_healed_by_the_full_listings_even_if_some_fail(
    stage: Stage, resources: tuple[str, ...]
) -> None:
    stage.proxy.largest_chunk = 1

    def silence(step: str) -> None:
        for resource in resources:
            stage.proxy.silence_watches(resource)
        if step == "scale up":
            stage.proxy.refuse_list(resources[0], 500)
            stage.proxy.refuse_list(resources[0], 410)

    _all_right(asyncio.run(_two_lives(stage, silence)), stage)


async def _two_lives(stage: Stage, before: Callable[[str], None]) -> list[Life]:
    """Two lives at a time, so that a list has more than one chunk."""
    async with sweep(stage.proxy, 2) as running:
        return list(await asyncio.gather(*(running.life(label, before=before) for label in ("one", "two"))))


def _all_right(lives: list[Life], stage: Stage) -> None:
    report = Report(lives, [], [])
    print("\n".join(f"{sum(life.seconds.values()):5.1f} s: {life.label}" for life in lives))
    assert not report.failures, report.told(stage.operator.log)


def _summary(report: Report, points: int) -> str:
    """How much was covered, for whoever reads the output."""
    right = sum(1 for life in report.lives if not life.failure) - len(report.not_met)
    slowest = sorted(
        ((seconds, step, life.label) for life in report.lives for step, seconds in life.seconds.items()),
        reverse=True,
    )[:5]
    lines = [
        f"{points} calls in the scenario; {len(report.lives)} cases (call x fault) were tried",
        f"{right} ended right, {len(report.failures)} did not, {len(report.not_met)} calls did not come",
        *(f"    {seconds:5.1f} s for {step!r} after: {label}" for seconds, step, label in slowest),
        *(f"    did not come: {case}" for case in report.not_met),
    ]
    return "\n".join(lines)
