"""From the previous commit's chart to this one and back, under a cluster that computes."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dask import dask_client, dask_cluster, on_workers, wait_connected
from tests.support.kubectl import apply
from tests.support.releases import (
    TAKE,
    definitions,
    instead_of_the_release,
    namespaces,
    pods_as_made,
    previous_chart,
    run,
    uninstall,
    upgrade,
)
from tests.support.tally import note_run, start_tally

pytestmark = [pytest.mark.slow, pytest.mark.alone]

TASKS = 120


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The chart of the commit before."""
    return previous_chart(tmp_path)


@pytest.fixture
def home(previous: Path) -> Iterator[str]:
    """A namespace with a release of that chart, in place of the other tests' release."""
    name = f"upgrade-{secrets.token_hex(3)}"
    with instead_of_the_release(), namespaces(name):
        upgrade("dask", name, *TAKE, chart=previous)
        yield name
        uninstall("dask", name)


@on_workers
def _slowly(address: str, number: int) -> int:
    import time

    note_run(address, str(number))
    time.sleep(1)
    return number * number


def test_an_upgrade_and_a_rollback_touch_no_pod_and_lose_no_task(
    home: str, previous: Path, namespace: str
) -> None:
    apply(namespace, dask_cluster("busy", 2))
    wait_connected(namespace, "busy", 2)
    tally = start_tally(namespace)
    made = pods_as_made(namespace, "busy")
    with dask_client(namespace, "busy") as client:
        work = client.map(_slowly, [tally.address] * TASKS, range(TASKS))
        upgrade("dask", home)
        assert pods_as_made(namespace, "busy") == made
        run("helm", "rollback", "dask", f"--namespace={home}", "--wait", "--timeout=180s")
        assert pods_as_made(namespace, "busy") == made
        assert client.gather(work) == [number * number for number in range(TASKS)]
    assert len(tally.runs()) == TASKS, "every task ran once"
    assert pods_as_made(namespace, "busy") == made


def test_going_back_to_an_older_chart_keeps_the_newer_definitions(home: str, previous: Path) -> None:
    upgrade("dask", home)
    newer = definitions()
    upgrade("dask", home, "--set=crds.install=false", chart=previous)
    assert definitions() == newer
    upgrade("dask", home)
    assert definitions() == newer
