"""One call to the API server fails, whichever it is and however it fails: everything ends exactly right."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.fault_sweep import Report, all_cases, sweep
from tests.support.operator_process import OperatorProcess, operator_process
from tests.support.stub_schedulers import stub_schedulers

SEED = 20261122
LANES = 16
DRY_RUNS = 3

NO_RESYNC = {"DASK_OPERATOR_RESYNC_SECONDS": "86400"}
"""The operator must be right again by itself, not because it looks at everything from time to time."""


@dataclass
class Stage:
    """What a sweep needs."""

    proxy: FaultProxy
    operator: OperatorProcess


@contextmanager
def _stage(folder: Path, settings: dict[str, str]) -> Iterator[Stage]:
    """The operator behind the proxy, with schedulers that answer for fake nodes."""
    with stub_schedulers(), fault_proxy() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        with operator_process(folder, url, settings) as operator:
            yield Stage(proxy, operator)


@pytest.mark.parametrize("sample", [40, pytest.param(None, marks=pytest.mark.slow)])
def test_any_one_call_may_fail_in_any_way(tmp_path: Path, sample: int | None) -> None:
    with _stage(tmp_path, NO_RESYNC) as stage:
        report, points = asyncio.run(_sweep(stage, sample))
        print(_summary(report, points))
        assert not report.failures, report.told(stage.operator.log)
    assert len(report.not_met) <= len(report.lives) / 4, f"too few calls came: {report.not_met}"


async def _sweep(stage: Stage, sample: int | None) -> tuple[Report, int]:
    async with sweep(stage.proxy, LANES) as running:
        points = await running.points(DRY_RUNS)
        cases = all_cases(points)
        if sample is not None:
            cases = random.Random(SEED).sample(cases, sample)
        return await running.cases(cases), len(points)


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
