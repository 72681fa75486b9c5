"""Edits of a living cluster take effect, and cost no result."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from distributed import Client, wait

from tests.support.dask import (
    condition,
    dask_client,
    dask_cluster,
    fake_worker_pods,
    names,
    on_workers,
    wait_connected,
    workers,
)
from tests.support.kubectl import Tree, apply, eventually, get, kubectl
from tests.support.operator_process import wait_rolled_out
from tests.support.tally import Tally, note_run, start_tally

FAKE = {"spec": fake_worker_pods(), "drainTimeoutSeconds": 0}
RESTART = "kubernetes.dask.org/restart"


@on_workers
def _result(number: int, address: str) -> Any:
    import numpy as np

    note_run(address, f"result-{number}")
    return np.full(1000, number, dtype="float64")


@on_workers
def _environment(name: str) -> Any:
    import os

    return os.environ.get(name)


def _compute(client: Client, tally: Tally, many: int) -> list[Any]:
    futures = [client.submit(_result, key, tally.address) for key in range(many)]
    wait(futures)
    return futures


def _none_ran_twice(client: Client, futures: list[Any], tally: Tally) -> None:
    assert [float(array[0]) for array in client.gather(futures)] == list(range(len(futures)))
    assert Counter(key for key, _ in tally.runs()) == {f"result-{n}": 1 for n in range(len(futures))}


def _rolled_out(namespace: str, group: str, variable: tuple[str, str], number: int) -> Callable[[], bool]:
    def done() -> bool:
        pods = workers(namespace, group, alive=False)
        wanted = {"name": variable[0], "value": variable[1]}
        return len(pods) == number and all(wanted in p["spec"]["containers"][0]["env"] for p in pods)

    return done


def test_an_edited_worker_rolls_out_and_no_result_is_lost(namespace: str) -> None:
    tally = start_tally(namespace)
    apply(namespace, dask_cluster("roll", 3))
    wait_connected(namespace, "roll", 3)
    with dask_client(namespace, "roll") as client:
        futures = _compute(client, tally, 40)
        apply(namespace, dask_cluster("roll", 3, worker={"env": [{"name": "FLAVOUR", "value": "new"}]}))
        done = _rolled_out(namespace, "roll-default", ("FLAVOUR", "new"), 3)
        eventually("every worker to have the new environment", done, 120)
        wait_connected(namespace, "roll", 3)
        assert set(client.run(_environment, "FLAVOUR").values()) == {"new"}
        _none_ran_twice(client, futures, tally)
    item = get(namespace, "daskcluster", "roll")
    assert condition(item, "WorkersReady")["reason"] == "AllReady"
    assert condition(item, "RestartPending")["status"] == "False"


def test_a_template_that_cannot_start_takes_no_worker_away_and_the_next_one_replaces_it(
    namespace: str,
) -> None:
    apply(namespace, dask_cluster("halt", 2))
    wait_connected(namespace, "halt", 2)
    before = names(workers(namespace, "halt-default"))
    apply(namespace, dask_cluster("halt", 2, worker={"image": "localhost/none:no"}))

    def told() -> bool:
        item = get(namespace, "daskcluster", "halt")
        return condition(item, "WorkersReady").get("reason") == "ImagePullFailed"

    eventually("the bad image to be told", told, 30)
    assert before < names(workers(namespace, "halt-default"))
    assert len(workers(namespace, "halt-default")) == 3
    apply(namespace, dask_cluster("halt", 2, worker={"image": "localhost/dask:dev"}))

    def replaced() -> bool:
        pods = workers(namespace, "halt-default", alive=False)
        images = {pod["spec"]["containers"][0]["image"] for pod in pods}
        return len(pods) == 2 and images == {"localhost/dask:dev"} and not names(pods) & before

    eventually("the good image to be rolled out", replaced, 90)
    wait_connected(namespace, "halt", 2)


def _pending(namespace: str, cluster: str) -> Tree:
    return condition(get(namespace, "daskcluster", cluster), "RestartPending")


def test_an_edited_scheduler_waits_until_the_cluster_is_idle(namespace: str) -> None:
    apply(namespace, dask_cluster("wait", 1))
    old = wait_connected(namespace, "wait", 1)["status"]["scheduler"]["podUID"]
    edited = dask_cluster("wait", 1, scheduler={"env": [{"name": "FLAVOUR", "value": "new"}]})
    with dask_client(namespace, "wait") as client:
        future = client.submit(sum, [1, 2])
        assert future.result(timeout=30) == 3
        apply(namespace, edited)
        eventually("the edit to be pending", lambda: _pending(namespace, "wait").get("status") == "True", 20)
        eventually("the reason", lambda: "1 results" in _pending(namespace, "wait")["message"], 30)
        assert RESTART in _pending(namespace, "wait")["message"]
        assert future.result(timeout=30) == 3
        del future

    def replaced() -> bool:
        scheduler = (get(namespace, "daskcluster", "wait") or {})["status"]["scheduler"]
        return bool(scheduler["podUID"] != old and scheduler["ready"])

    eventually("the scheduler to be replaced, nobody being connected any more", replaced, 60)
    wait_connected(namespace, "wait", 1)
    assert _pending(namespace, "wait")["status"] == "False"
    pod = get(namespace, "pod", "wait-scheduler")
    assert pod is not None
    assert {"name": "FLAVOUR", "value": "new"} in pod["spec"]["containers"][0]["env"]


def test_the_annotation_restarts_an_edited_scheduler_at_once_and_once(namespace: str) -> None:
    apply(namespace, dask_cluster("now", 1))
    old = wait_connected(namespace, "now", 1)["status"]["scheduler"]["podUID"]
    with dask_client(namespace, "now") as client:
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3
        kubectl("annotate", "-n", namespace, "daskcluster", "now", f"{RESTART}=today")

        def replaced() -> bool:
            scheduler = (get(namespace, "daskcluster", "now") or {})["status"]["scheduler"]
            return bool(scheduler["podUID"] != old and scheduler["ready"])

        eventually("a new scheduler", replaced, 60)
    scheduler = wait_connected(namespace, "now", 1)["status"]["scheduler"]
    assert scheduler["restarts"] == 1
    assert not scheduler.get("lost")


def test_labels_and_annotations_are_patched_in_place_and_taken_away_again(namespace: str) -> None:
    def cluster(labels: Tree, annotations: Tree) -> Tree:
        return dask_cluster(
            "tags",
            2,
            metadata={"labels": labels, "annotations": annotations},
            worker=FAKE,
            scheduler={"spec": fake_worker_pods()},
        )

    def everything() -> list[Tree]:
        found = [get(namespace, kind, "tags-scheduler") for kind in ("pod", "service")]
        group = get(namespace, "daskworkergroup", "tags-default")
        return [item for item in (*found, group, *workers(namespace, "tags-default")) if item is not None]

    def all_have(label: str | None, annotation: str | None) -> bool:
        held = [item["metadata"] for item in everything()]
        return len(held) == 5 and all(
            meta["labels"].get("team") == label and meta.get("annotations", {}).get("cost") == annotation
            for meta in held
        )

    apply(namespace, cluster({"team": "blue"}, {"cost": "low"}))
    eventually("all to be labelled", lambda: all_have("blue", "low"), 30)
    before = {item["metadata"]["uid"] for item in everything()}
    apply(namespace, cluster({"team": "red"}, {}))
    eventually("the edit to reach all", lambda: all_have("red", None), 30)
    apply(namespace, cluster({}, {"cost": "high"}))
    eventually("the next edit to reach all", lambda: all_have(None, "high"), 30)
    assert {item["metadata"]["uid"] for item in everything()} == before


@pytest.mark.alone
def test_a_changed_default_of_the_install_rolls_nothing(namespace: str) -> None:
    apply(namespace, dask_cluster("calm", 2, worker=FAKE, scheduler={"spec": fake_worker_pods()}))
    eventually("the workers", lambda: len(workers(namespace, "calm-default")) == 2, 30)
    before = {pod["metadata"]["uid"] for pod in workers(namespace, "calm-default")}
    deployment = ("-n", "dask-operator", "deployment/dask-operator")
    try:
        kubectl("set", "env", *deployment, "DASK_OPERATOR_DEFAULT_IMAGE=localhost/another:dev")
        wait_rolled_out()
        apply(namespace, dask_cluster("fresh", 0, scheduler={"spec": fake_worker_pods()}))
        eventually(
            "the new default to be in force",
            lambda: _image(namespace, "fresh") == "localhost/another:dev",
            30,
        )
        kubectl("scale", "-n", namespace, "daskcluster", "calm", "--replicas=3")
        eventually("a third worker", lambda: len(workers(namespace, "calm-default")) == 3, 30)
    finally:
        kubectl("set", "env", *deployment, "DASK_OPERATOR_DEFAULT_IMAGE=localhost/dask:dev")
        wait_rolled_out()
    pods = workers(namespace, "calm-default", alive=False)
    assert before < {pod["metadata"]["uid"] for pod in pods}
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"localhost/dask:dev"}


def _image(namespace: str, cluster: str) -> str:
    return str((get(namespace, "daskcluster", cluster) or {}).get("status", {}).get("image"))
