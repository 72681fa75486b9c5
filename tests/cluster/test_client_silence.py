"""Clusters whose clients have asked to be missed, and are gone."""

import signal
import subprocess
import sys
import time

import pytest
from dask_operator_api import labels
from dask_operator_client import KubeCluster

from tests.support.dask import dask_cluster, events
from tests.support.kubectl import apply, eventually, get, kubectl

LIFE = 6

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


def is_there(namespace: str, name: str) -> bool:
    """Whether there is such a DaskCluster that is not on its way out."""
    found = get(namespace, "daskcluster", name)
    return found is not None and "deletionTimestamp" not in found["metadata"]


def told(namespace: str, name: str) -> list[str]:
    """What Events have said about a client that was missed."""
    return [item["message"] for item in events(namespace, name) if item["reason"] == "ClientSilent"]


def test_a_cluster_without_signs_of_life_is_deleted_and_one_with_them_stays(namespace: str) -> None:
    missed = {"annotations": {labels.TIME_TO_LIVE: str(LIFE)}}
    began = time.monotonic()
    apply(namespace, *(dask_cluster(name, 0, metadata=missed) for name in ("silent", "living")))

    def beat_until_gone() -> bool:
        sign = f"{labels.HEARTBEAT}={time.monotonic()}"
        kubectl("annotate", "-n", namespace, "--overwrite", "daskcluster", "living", sign)
        return not is_there(namespace, "silent")

    eventually("the silent cluster to be deleted", beat_until_gone, 60)
    assert time.monotonic() - began >= LIFE
    assert is_there(namespace, "living")
    kubectl("annotate", "-n", namespace, "daskcluster", "living", f"{labels.TIME_TO_LIVE}-")
    [message] = eventually("the reason", lambda: told(namespace, "silent"))
    assert f"{labels.TIME_TO_LIVE} is {LIFE}" in message


@pytest.mark.slow
def test_the_cluster_of_a_process_that_was_killed_goes_and_that_of_a_living_one_stays(
    namespace: str,
) -> None:
    program = f"""
from dask_operator_client import KubeCluster
cluster = KubeCluster(name="killed", namespace={namespace!r}, n_workers=0, time_to_live=30, quiet=True)
print("made", flush=True)
cluster.wait_for_workers(1, timeout=600)
"""
    with KubeCluster(name="living", namespace=namespace, n_workers=0, time_to_live=30, quiet=True):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "made\n"
            process.send_signal(signal.SIGKILL)
        assert is_there(namespace, "killed")
        eventually("the cluster to be deleted", lambda: not is_there(namespace, "killed"), 90)
        assert is_there(namespace, "living")
    assert told(namespace, "killed")
    assert not told(namespace, "living")
