"""KubeCluster from outside a real Kubernetes, through the installed operator."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from dask_operator_client import KubeCluster, errors
from distributed import Client

from tests.support.kubectl import apply
from tests.support.namespaces import fresh_namespace, wait_in_force

from .test_autoscaler import autoscaler

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / "build" / "bin" / "kubectl"
SECONDS = 120.0

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace for this module."""
    with fresh_namespace("test-client") as name:
        yield name


@pytest.fixture(scope="module")
def shared(namespace: str) -> Iterator[KubeCluster]:
    """A cluster with two workers for the tests that leave it as it was."""
    with KubeCluster(name="shared", n_workers=2, namespace=namespace, env={"FOO": "bar"}) as cluster:
        yield cluster


def kubectl(*arguments: str) -> str:
    """What kubectl prints."""
    done = subprocess.run(
        [str(KUBECTL), *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def clusters(namespace: str) -> set[str]:
    """The names of the DaskClusters there are."""
    found = json.loads(kubectl("get", "daskclusters", "--namespace", namespace, "--output=json"))
    return {item["metadata"]["name"] for item in found["items"]}


def until(fact: Callable[[], bool], what: str) -> None:
    """Wait until a fact is true."""
    deadline = time.monotonic() + SECONDS
    while not fact():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.2)


def workers(client: Client, group: str) -> int:
    """How many connected workers belong to the group with that full name."""
    info = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(1 for worker in info if str(worker["name"]).startswith(f"{group}-worker-"))


def test_a_cluster_computes_from_outside_through_the_port_forward(shared: KubeCluster) -> None:
    with Client(shared) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=SECONDS) == 6
        client.wait_for_workers(2, timeout=SECONDS)


def test_the_environment_reaches_the_scheduler_and_the_workers(shared: KubeCluster) -> None:
    with Client(shared) as client:
        client.wait_for_workers(2, timeout=SECONDS)
        assert client.run_on_scheduler(os.getenv, "FOO") == "bar"
        assert set(client.run(os.getenv, "FOO").values()) == {"bar"}


def test_the_dashboard_link_works_from_here(shared: KubeCluster) -> None:
    with urllib.request.urlopen(shared.dashboard_link, timeout=30) as answer:
        assert answer.status == 200


def test_logs_of_the_client_the_scheduler_and_the_workers_can_be_had(shared: KubeCluster) -> None:
    with Client(shared) as client:
        client.wait_for_workers(2, timeout=SECONDS)
    logs = shared.get_logs()
    assert "waiting for" in logs["Cluster"]
    assert len(logs) >= 4


def test_fifty_megabytes_go_both_ways_whole(shared: KubeCluster) -> None:
    data = os.urandom(50_000_000)
    with Client(shared) as client:
        future = client.scatter(data)
        assert client.gather(client.submit(bytes, future)) == data


def test_workers_come_and_go_with_scale(shared: KubeCluster) -> None:
    with Client(shared) as client:
        shared.scale(4)
        until(lambda: workers(client, "shared-default") == 4, "4 workers")
        shared.scale(2)
        until(lambda: workers(client, "shared-default") == 2, "2 workers")


def test_a_group_can_be_added_scaled_and_deleted(shared: KubeCluster) -> None:
    with Client(shared) as client:
        shared.add_worker_group(name="more", n_workers=1, env={"FOO": "other"})
        until(lambda: workers(client, "shared-more") == 1, "the group's worker")
        assert "other" in client.run(os.getenv, "FOO").values()
        with pytest.raises(errors.ClusterExists):
            shared.add_worker_group(name="more", n_workers=1)
        shared.scale(2, worker_group="more")
        until(lambda: workers(client, "shared-more") == 2, "two workers in the group")
        shared.delete_worker_group("more")
        until(lambda: workers(client, "shared-more") == 0, "no worker in the group")
    with pytest.raises(errors.ClusterNotFound):
        shared.scale(1, worker_group="more")


def test_adapt_makes_an_autoscaler_and_scale_removes_it(shared: KubeCluster, namespace: str) -> None:
    shared.adapt(minimum=2, maximum=3)
    shared.adapt(minimum=2, maximum=2)
    found = json.loads(kubectl("get", "daskautoscaler", "shared", "--namespace", namespace, "--output=json"))
    assert found["spec"]["maximum"] == 2
    shared.scale(2)
    assert not kubectl("get", "daskautoscalers", "--namespace", namespace, "--output=name")


def test_an_autoscaler_that_somebody_else_wrote_stays_and_is_named(
    shared: KubeCluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    apply(namespace, autoscaler("elder", "shared", 2, 2))
    try:
        shared.scale(2)
        assert "The DaskAutoscaler elder goes on deciding" in caplog.text
        shared.adapt(minimum=2, maximum=3)
        assert "The DaskAutoscaler elder, which is older" in caplog.text
    finally:
        kubectl("delete", "daskautoscaler", "elder", "--namespace", namespace)
    caplog.clear()
    shared.scale(2)
    assert "DaskAutoscaler" not in caplog.text


def test_the_buttons_of_the_notebook_widget_scale_and_adapt(shared: KubeCluster, namespace: str) -> None:
    parts = list(every_part(shared._widget()))
    named = {part.description: part for part in parts if getattr(part, "description", "")}
    named["Workers"].value = 3
    named["Scale"].click()
    path = "jsonpath={.spec.worker.replicas}"
    group = ("daskworkergroup", "shared-default", "--namespace", namespace)
    assert kubectl("get", *group, "--output", path) == "3"
    named["Minimum"].value = named["Maximum"].value = 2
    named["Adapt"].click()
    assert kubectl("get", "daskautoscalers", "--namespace", namespace, "--output=name")
    shared.scale(2)


def every_part(widget: Any) -> Iterator[Any]:
    """A widget and all that are in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every_part(child)


def test_an_operator_of_another_release_is_told_in_one_sentence(
    shared: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metadata, "version", lambda package: "99.0.0")
    with KubeCluster.from_name("shared", namespace=namespace, quiet=True):
        until(lambda: "This client is 99.0.0 and the operator" in caplog.text, "a word about the skew")


def test_closing_a_cluster_that_was_only_connected_to_deletes_nothing(
    shared: KubeCluster, namespace: str
) -> None:
    with KubeCluster.from_name("shared", namespace=namespace, quiet=True) as same, Client(same) as client:
        assert client.submit(sum, [1, 2]).result(timeout=SECONDS) == 3
    with KubeCluster(name="shared", n_workers=2, env={"FOO": "bar"}, namespace=namespace, quiet=True):
        pass
    assert "shared" in clusters(namespace)


def test_a_cluster_that_is_not_like_the_keywords_is_refused_by_their_names(
    shared: KubeCluster, namespace: str
) -> None:
    with pytest.raises(errors.ClusterDiffers, match="n_workers: asked for 7") as caught:
        KubeCluster(name="shared", n_workers=7, image="other", namespace=namespace, quiet=True)
    assert caught.value.keywords == ("n_workers", "image")
    assert "shared" in clusters(namespace)


def test_a_cluster_that_is_not_there_cannot_be_connected_to(namespace: str) -> None:
    with pytest.raises(errors.ClusterNotFound, match="no DaskCluster missing in the namespace"):
        KubeCluster.from_name("missing", namespace=namespace, quiet=True)


def test_the_end_of_the_with_block_deletes_what_it_made_and_does_not_wait(namespace: str) -> None:
    with KubeCluster(name="brief", n_workers=0, namespace=namespace) as cluster:
        assert "brief" in clusters(namespace)
        assert cluster.namespace == namespace
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert "brief" not in clusters(namespace)


def test_an_image_that_does_not_exist_is_an_error_with_the_reason_within_seconds(namespace: str) -> None:
    start = time.monotonic()
    with pytest.raises(errors.ImagePullFailed, match="no-such-image"):
        KubeCluster(name="wrong", image="localhost/no-such-image:1", namespace=namespace, quiet=True)
    assert time.monotonic() - start < 30
    assert "wrong" not in clusters(namespace)


def test_a_quota_without_room_is_an_error_with_the_reason_within_seconds(namespace: str) -> None:
    kubectl("create", "quota", "none", "--hard=pods=0", "--namespace", namespace)
    try:
        wait_in_force(namespace, "none")
        start = time.monotonic()
        with pytest.raises(errors.ClusterFailed, match="quota"):
            KubeCluster(name="full", namespace=namespace, quiet=True)
        assert time.monotonic() - start < 30
    finally:
        kubectl("delete", "quota", "none", "--namespace", namespace)


def test_a_process_that_ends_without_closing_takes_its_cluster_with_it(namespace: str) -> None:
    program = f"""
import warnings
from dask_operator_client import KubeCluster
from distributed import Client
warnings.filterwarnings("ignore", "Mismatched versions")
cluster = KubeCluster(name="left", n_workers=0, namespace="{namespace}", quiet=True)
client = Client(cluster)
"""
    python = ROOT / ".venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "left" not in clusters(namespace)


async def test_all_of_it_works_with_await(namespace: str) -> None:
    async with (
        KubeCluster(name="waited", n_workers=1, namespace=namespace, asynchronous=True) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        assert await client.submit(sum, [1, 2, 3]) == 6
        await cluster.scale(2)
        await client.wait_for_workers(2, timeout=SECONDS)
        await cluster.add_worker_group("more", n_workers=0)
        await cluster.delete_worker_group("more")
    assert "waited" not in clusters(namespace)


@pytest.mark.parametrize("manifest", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_accepted_without_a_warning(manifest: Path, namespace: str) -> None:
    command = ["apply", "--dry-run=server", "--namespace", namespace, "--filename", str(manifest)]
    done = subprocess.run(
        [str(KUBECTL), *command], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_scheduler_pod_is_found_by_the_same_client(namespace: str) -> None:
    with KubeCluster(name="again", n_workers=1, namespace=namespace) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1]).result(timeout=SECONDS) == 1
        kubectl("delete", "pod", "again-scheduler", "--namespace", namespace)
        until(lambda: computes(client), "a result from the new scheduler")


def computes(client: Client) -> bool:
    """Whether a result comes back, pure tasks of a lost scheduler aside."""
    try:
        answer: Any = client.submit(sum, [1, 2], pure=False).result(timeout=5)
    except Exception:  # noqa: BLE001  # distributed raises many kinds while a scheduler is away
        return False
    return bool(answer == 3)
