"""What is said of DaskAutoscalers by an operator of a release that has no autoscaler."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from dask_operator.reconcile import reconcile
from dask_operator.settings import Settings
from dask_operator.store import Key
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items

from tests.unit.operator.simulation import World

CLUSTER = Key(Kind.CLUSTER, "ns", "c")


def scaler(cluster: str = "c", **status: Any) -> Manifest:
    """A DaskAutoscaler that somebody has made."""
    meta = {"name": "s", "namespace": "ns", "uid": "uid-s", "generation": 3}
    spec = {"cluster": cluster, "minimum": 0, "maximum": 2}
    owner = {"controller": True, "kind": "DaskCluster", "uid": "c-uid"}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskAutoscaler",
        "metadata": {**meta, "ownerReferences": [owner]},
        "spec": spec,
        "status": status,
    }


async def passes(world: World, key: Key, autoscaling: bool) -> list[Manifest]:
    """Some passes; gives the writes to the autoscaler."""
    world.start_operator()
    world.context.settings = replace(Settings(), autoscaling=autoscaling)
    written, patch = [], world.kube.patch

    async def recorded(kind: str, namespace: str, name: str, body: Manifest, subresource: str = "") -> Any:
        if kind == Kind.AUTOSCALER:
            written.append({"subresource": subresource, "body": body})
        return await patch(kind, namespace, name, body, subresource)

    world.kube.patch = recorded  # type: ignore[method-assign]
    for _ in range(3):
        await reconcile(world.context, key)
        world.deliver()
    return written


def with_scaler(body: Manifest) -> World:
    world = World(1)
    world.kube.put("DaskAutoscaler", body)
    return world


@pytest.mark.parametrize("cluster", ["c", "of-tomorrow"])
def test_that_nobody_serves_it_is_said_once_whether_or_not_its_cluster_is_there(cluster: str) -> None:
    world = with_scaler(scaler(cluster, desiredReplicas=4))
    written = asyncio.run(passes(world, Key(Kind.CLUSTER, "ns", cluster), autoscaling=False))
    assert [write["subresource"] for write in written] == ["status"]
    assert written[0]["body"]["metadata"] == {"uid": "uid-s"}
    status = world.kube.objects["DaskAutoscaler", "s"]["status"]
    told = {item["type"]: (item["status"], item["reason"]) for item in items(status, "conditions")}
    assert told == {"AbleToScale": ("False", "NotServed"), "ScalingActive": ("False", "NotServed")}
    assert "autoscaler.enabled=false" in status["conditions"][0]["message"]
    assert (status["observedGeneration"], status["desiredReplicas"]) == (3, 4)


def test_what_an_autoscaler_said_before_it_was_taken_away_is_no_longer_said() -> None:
    before = {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}
    world = with_scaler(scaler(conditions=[before]))
    asyncio.run(passes(world, CLUSTER, autoscaling=False))
    held = items(world.kube.objects["DaskAutoscaler", "s"], "status", "conditions")
    assert {item["reason"] for item in held} == {"NotServed"}


def test_where_there_is_an_autoscaler_the_status_is_its_own() -> None:
    world = with_scaler(scaler())
    written = asyncio.run(passes(world, CLUSTER, autoscaling=True))
    assert [write for write in written if write["subresource"] == "status"] == []
