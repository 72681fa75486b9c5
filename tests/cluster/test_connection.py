"""What a cut of the way to the API server does to a client, its futures and its data."""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator

import pytest
from dask_operator_client import KubeCluster
from distributed import Client, Future
from distributed.client import FutureCancelledError

from tests.support.cuts import Wire, cuttable
from tests.support.dask import on_workers
from tests.support.kubectl import KUBECONFIG, eventually, kubectl

SECONDS = 60.0
MEGABYTES = 200
CUTS = 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning"),
]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """The way to the API server, for this module."""
    copy = tmp_path_factory.mktemp("wire") / "kubeconfig"
    with cuttable(KUBECONFIG, copy) as wire, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(copy))
        yield wire


@pytest.fixture(scope="module")
def cluster(wire: Wire) -> Iterator[KubeCluster]:
    """A cluster with one worker, reached over the wire."""
    namespace = f"test-connection-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    with KubeCluster(
        name="wired", n_workers=1, namespace=namespace, wait_for_workers=True, quiet=True
    ) as cluster:
        yield cluster
    kubectl("delete", "namespace", namespace, "--wait=false")


@on_workers
def digest(data: bytes) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def endless(client: Client) -> Future:
    """A future that no worker can ever finish, as none has what it asks for."""
    return client.submit(sum, [1, 2], pure=False, resources={"what no worker has": 1})


def test_200_megabytes_go_both_ways_without_a_wrong_byte(cluster: KubeCluster) -> None:
    data = os.urandom(MEGABYTES * 1_000_000)
    with Client(cluster, set_as_default=False) as client:
        future = client.scatter(data, direct=False)
        assert client.submit(digest, future).result(timeout=SECONDS) == hashlib.sha256(data).hexdigest()
        assert client.gather(future, direct=False) == data


def test_the_same_client_works_on_within_5_seconds_of_each_of_ten_cuts_and_datasets_are_intact(
    cluster: KubeCluster, wire: Wire
) -> None:
    with Client(cluster, set_as_default=False) as client:
        client.publish_dataset(kept=client.submit(sum, [1, 2, 3]))
        for number in range(CUTS):
            lost = endless(client)
            assert wire.cut()
            start = time.monotonic()
            with pytest.raises(FutureCancelledError) as caught:
                lost.result(timeout=SECONDS)
            assert "The connection to the scheduler of wired broke" in str(caught.value)
            assert "published datasets are intact" in str(caught.value)
            assert eventually("a result", lambda n=number: answer(client, n), SECONDS) == number + 1  # type: ignore[misc]
            assert time.monotonic() - start < 5
        assert client.get_dataset("kept").result(timeout=SECONDS) == 6


def test_a_client_outlives_a_while_without_any_way_to_the_api_server(
    cluster: KubeCluster, wire: Wire
) -> None:
    with Client(cluster, set_as_default=False) as client:
        lost = endless(client)
        wire.block()
        with pytest.raises(FutureCancelledError, match="cannot be asked at the moment"):
            lost.result(timeout=SECONDS)
        wire.mend()
        assert eventually("a result", lambda: answer(client, 1), SECONDS) == 2


def answer(client: Client, number: int) -> int | None:
    """A result, or None while the client is still connecting."""
    try:
        result: int = client.submit(sum, [number, 1], pure=False).result(timeout=5)
    except FutureCancelledError:
        return None
    return result


def test_the_list_of_workers_is_right_again_after_a_cut(cluster: KubeCluster, wire: Wire) -> None:
    wire.cut()
    cluster.scale(2)
    cluster.wait_for_workers(2)
    assert eventually("2 workers", lambda: len(cluster.scheduler_info["workers"]) == 2, SECONDS)
