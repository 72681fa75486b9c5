"""Full listings: of what, how often they are tried, and what they leave to the watch on Pods."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from dask_operator.api_server.kube import Kube, Listing
from dask_operator.errors import ApiError, TryAgain
from dask_operator.intake import SELECTOR, WATCHED, Intake
from dask_operator.observed import ObjectView
from dask_operator.scope.territory import Territory
from dask_operator.store import Store
from dask_operator.watching import resync
from dask_operator.watching.hearing import Hearing
from dask_operator.watching.resync import Survey
from dask_operator_api.manifests import Manifest

from tests.unit.operator.worlds import worker_body


class CountingKube:
    """Answers every listing with the same Pods, at a version one higher each time."""

    def __init__(self, failures: list[ApiError]) -> None:
        self.failures = failures
        self.tried: list[tuple[str, str, str | None]] = []
        self.listed: list[tuple[str, str, str | None]] = []

    async def try_listing(self, kind: str, selector: str, namespace: str | None) -> None:
        self.tried.append((kind, selector, namespace))
        if self.failures:
            raise self.failures.pop()

    async def list_as(
        self, kind: str, read: Callable[[Manifest], ObjectView], selector: str, namespace: str | None
    ) -> Listing[ObjectView]:
        self.listed.append((kind, selector, namespace))
        if self.failures:
            raise self.failures.pop()
        found = [read(worker_body(1))] if kind == "Pod" else []
        return Listing(found, 100 + len(self.listed))


class Queue:
    """Takes keys."""

    def add(self, _key: object, _edited: bool = False) -> None:
        """Nobody works."""


class Spaces:
    """The territory."""

    def __init__(self, *spaces: str | None) -> None:
        self.spaces = spaces


def survey_of(kube: CountingKube, *spaces: str | None) -> tuple[Survey, Store]:
    store = Store()
    intake = Intake(store, cast(Any, Queue()), cast(Any, None))
    territory = cast(Territory, Spaces(*spaces))
    return Survey(cast(Kube, kube), intake, territory, Hearing(), lambda: False, lambda: 0.0), store


@pytest.fixture(autouse=True)
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return paused


async def test_who_waits_for_the_lease_asks_for_each_kind_until_all_answer_and_remembers_nothing(
    paused: list[float],
) -> None:
    kube = CountingKube([TryAgain("not yet")])
    survey, store = survey_of(kube, "a", "b")
    await survey.try_out()
    assert paused == [resync.RETRY_SECONDS]
    assert [(kind, space) for kind, _, space in kube.tried[1:]] == [
        (k, s) for s in ("a", "b") for k in WATCHED
    ]
    assert {selector for kind, selector, _ in kube.tried if kind == "Pod"} == {SELECTOR}
    assert not kube.listed
    assert not store.pods.objects


async def test_the_watch_on_pods_goes_on_once_from_where_the_first_listing_has_found_them() -> None:
    kube = CountingKube([])
    survey, store = survey_of(kube, None)
    assert survey.pods_at(None) == 0
    await survey.take_first()
    assert list(store.pods.objects) == [("ns", worker_body(1)["metadata"]["name"])]
    found = 101 + [kind for kind, _, _ in kube.listed].index("Pod")
    assert [survey.pods_at(None), survey.pods_at(None), survey.pods_at("elsewhere")] == [found, 0, 0]


async def test_the_first_listing_is_tried_until_it_succeeds(paused: list[float]) -> None:
    survey, store = survey_of(CountingKube([TryAgain("again"), TryAgain("not yet")]), None)
    await survey.take_first()
    assert paused == [resync.RETRY_SECONDS] * 2
    assert store.pods.objects
