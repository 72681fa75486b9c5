"""The life of one cluster on fake nodes, always the same: after each step everything must be exactly right."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .api_server import MERGE, ApiServer, path_of
from .dask import dask_cluster, fake_worker_pods, worker_group
from .exactness import CLUSTER, DEFAULT, Wanted, late, wrong
from .worlds import World, Worlds

MORE = "life-more"

ROLLS_OVER = True
"""Whether an edited template makes the operator replace the workers."""


@dataclass(frozen=True)
class Step:
    """Something that a user does, and what there should be then."""

    name: str
    act: Callable[[ApiServer, str], Awaitable[None]]
    wrong: Callable[[World], Iterable[str]]
    """What is not yet as it should be then."""


def _exactly(wanted: Wanted | None) -> Callable[[World], Iterable[str]]:
    return lambda world: wrong(world, wanted)


class Wrong(AssertionError):
    """A step did not come to what it should."""


@dataclass
class Life:
    """How one scenario went."""

    namespace: str
    label: str = ""
    """What was done to it."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Step → how long it took until all was right."""
    failure: str = ""


async def _create(api: ApiServer, namespace: str) -> None:
    pods = {"spec": fake_worker_pods()}
    await api.call(
        "POST", path_of("daskclusters", namespace), dask_cluster(CLUSTER, 2, worker=pods, scheduler=pods)
    )


def _scale(replicas: int) -> Callable[[ApiServer, str], Awaitable[None]]:
    async def scale(api: ApiServer, namespace: str) -> None:
        body = {"spec": {"replicas": replicas}}
        await api.call("PATCH", path_of("daskclusters", namespace, CLUSTER, "scale"), body, MERGE)

    return scale


async def _add_group(api: ApiServer, namespace: str) -> None:
    body = worker_group(MORE, CLUSTER, 2, spec=fake_worker_pods())
    await api.call("POST", path_of("daskworkergroups", namespace), body)


async def _edit_template(api: ApiServer, namespace: str) -> None:
    body = {"spec": {"worker": {"env": [{"name": "GREETING", "value": "hello"}]}}}
    await api.call("PATCH", path_of("daskclusters", namespace, CLUSTER), body, MERGE)


async def _delete(api: ApiServer, namespace: str) -> None:
    await api.call("DELETE", path_of("daskclusters", namespace, CLUSTER))


def _steps() -> tuple[Step, ...]:
    both = {DEFAULT: 2, MORE: 2}
    edited = Wanted(both, {DEFAULT: 6, MORE: 2}, greeting="hello")
    return (
        Step("create", _create, _exactly(Wanted({DEFAULT: 2}, {DEFAULT: 2}))),
        Step("scale up", _scale(4), _exactly(Wanted({DEFAULT: 4}, {DEFAULT: 4}))),
        Step("scale down", _scale(2), _exactly(Wanted({DEFAULT: 2}, {DEFAULT: 4}))),
        Step("add group", _add_group, _exactly(Wanted(both, {DEFAULT: 4, MORE: 2}))),
        *([Step("change template", _edit_template, _exactly(edited))] if ROLLS_OVER else []),
        Step("delete", _delete, _exactly(None)),
    )


STEPS = _steps()


async def live(
    api: ApiServer,
    worlds: Worlds,
    life: Life,
    limit: float,
    before: Callable[[str], None] | None = None,
    steps: Sequence[Step] = STEPS,
) -> Life:
    """Go through all steps in a namespace that is there and empty; a failure stands in what is given back.

    Args:
        api: for the user's acts.
        worlds: tells what there is.
        life: the namespace; is filled in.
        limit: seconds for each step.
        before: is told each step's name before it.
        steps: what is done; by default, the life of a cluster.
    """
    world = worlds.of(life.namespace)
    try:
        for step in steps:
            if before is not None:
                await asyncio.to_thread(before, step.name)
            began = time.monotonic()
            await step.act(api, life.namespace)
            await _right(world, step, limit)
            life.seconds[step.name] = time.monotonic() - began
    except Wrong as error:
        life.failure = str(error)
    return life


async def _right(world: World, step: Step, limit: float) -> None:
    deadline = time.monotonic() + limit
    while True:
        world.news.clear()
        problems = list(step.wrong(world))
        if not problems:
            break
        try:
            await asyncio.wait_for(world.news.wait(), deadline - time.monotonic())
        except TimeoutError:
            message = f"{step.name}: not right within {limit:.0f} s: " + "; ".join(problems)
            raise Wrong(message) from None
    created_late = late(world)
    if created_late:
        raise Wrong(f"{step.name}: " + "; ".join(created_late))


async def prepare(api: ApiServer, namespace: str) -> None:
    """Make a namespace in which Pods can be created."""
    await api.call("POST", path_of("namespaces"), {"metadata": {"name": namespace}})
    deadline = time.monotonic() + 30
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts?fieldSelector=metadata.name%3Ddefault"
    while not (await api.call("GET", path))["items"]:
        if time.monotonic() > deadline:
            raise Wrong(f"there is no default service account in {namespace} after 30 s")
        await asyncio.sleep(0.1)
