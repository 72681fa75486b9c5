"""What users of dask-kubernetes do, with its released client: ``python incumbent.py NAMESPACE IMAGE``.

Run by an interpreter that has that client, and nothing of this repository. It tells each step that is done on standard
output, and goes on when it gets a line. What that client prints, some of it without an end of line, goes to standard
error.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable

from dask_kubernetes.operator import KubeCluster
from distributed import Client

SECONDS = 90.0

STEPS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def main(namespace: str, image: str) -> None:
    """Create, scale, group, adapt, connect again, close."""
    warnings.filterwarnings("ignore", "Mismatched versions found")
    with (
        KubeCluster(
            name="theirs", namespace=namespace, image=image, n_workers=1, env={"FOO": "bar"}
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2, 3]).result(timeout=SECONDS) == 6
        done("created")
        cluster.scale(2)
        until(lambda: len(client.ncores()) == 2)
        done("scaled up")
        cluster.scale(1)
        until(lambda: len(client.ncores()) == 1)
        done("scaled down")
        cluster.add_worker_group("more", n_workers=1, image=image)
        until(lambda: len(client.ncores()) == 2)
        cluster.delete_worker_group("more")
        until(lambda: len(client.ncores()) == 1)
        done("grouped")
        cluster.adapt(minimum=1, maximum=3)
        done("adapted")
        with KubeCluster.from_name(
            "theirs", namespace=namespace, shutdown_on_close=False, quiet=True
        ) as same:
            assert same.scheduler_info["id"] == cluster.scheduler_info["id"]
            assert len(same.get_logs()) >= 2
        done("connected")
    done("closed")


def done(step: str) -> None:
    """Tell that a step is done, and wait until it was looked at."""
    STEPS.write(f"done: {step}\n")
    STEPS.flush()
    sys.stdin.readline()


def until(fact: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not fact():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s"
        time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
