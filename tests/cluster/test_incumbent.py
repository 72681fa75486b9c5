"""The client of dask-kubernetes as it was released, unmodified, with this operator. A black box."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.kubectl import KUBECONFIG, ROOT, eventually, get, list_objects

PYTHON = ROOT / "build" / "incumbent" / "bin" / "python"
IMAGE = ROOT / "build" / "image-tests"
PROGRAM = ROOT / "tests" / "support" / "incumbent.py"


class Incumbent:
    """The program that uses that client, step by step."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self._waits = False

    def does(self, step: str) -> None:
        """Let it do its next step, which must be this one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._waits:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        self._waits = True
        said = self._process.stdout.readline()
        if not said:
            pytest.fail(f"it ended before it was {step}:\n{self._log.read_text()[-4000:]}")
        assert said.strip() == f"done: {step}"

    def end(self) -> int:
        """Let it end; gives its exit status."""
        self._process.communicate("\n", timeout=60)
        return self._process.returncode


@contextmanager
def incumbent(namespace: str, log: Path) -> Iterator[Incumbent]:
    """The program, begun."""
    if not PYTHON.exists() or not IMAGE.exists():
        pytest.fail("the other client is not there: run `make test-needs`")
    command = [str(PYTHON), "-P", str(PROGRAM), namespace, IMAGE.read_text().strip()]
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=errors,
            text=True,
            env={**os.environ, "KUBECONFIG": str(KUBECONFIG)},
        ) as process,
    ):
        try:
            yield Incumbent(process, log)
        finally:
            process.kill()


def replicas(namespace: str) -> int | None:
    """The number of workers that the default group is to have."""
    found = get(namespace, "daskworkergroup", "theirs-default") or {}
    number: int | None = found.get("spec", {}).get("worker", {}).get("replicas")
    return number


def test_the_client_of_dask_kubernetes_creates_scales_adapts_and_closes_clusters(
    namespace: str, tmp_path: Path
) -> None:
    with incumbent(namespace, tmp_path / "log") as client:
        client.does("created")
        assert (get(namespace, "daskcluster", "theirs") or {})["status"]["phase"] == "Running"
        client.does("scaled up")
        assert replicas(namespace) == 2
        client.does("scaled down")
        assert replicas(namespace) == 1
        client.does("grouped")
        assert get(namespace, "daskworkergroup", "theirs-more") is None
        client.does("adapted")
        bounds = (get(namespace, "daskautoscaler", "theirs") or {})["spec"]
        assert (bounds["minimum"], bounds["maximum"]) == (1, 3)
        client.does("connected")
        assert get(namespace, "daskcluster", "theirs") is not None
        client.does("closed")
        assert client.end() == 0
    assert get(namespace, "daskcluster", "theirs") is None
    eventually("nothing of it to be left", lambda: not list_objects(namespace, "pods,services"))
