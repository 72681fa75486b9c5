"""The program that `helm test` runs, against an API server that is not there and a scheduler that is."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from distributed import LocalCluster

from .support import CHART, Renderer, Tree

PROGRAM = CHART / "files" / "compute.py"


class Api:
    """Clusters by name: one is ready when it was looked at twice, and gone when it was deleted twice."""

    def __init__(self, address: str, ready: bool = True) -> None:
        self.calls: list[str] = []
        self._held: Tree | None = None
        self._address = address
        self._ready = ready
        self._looks = 0

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        self.calls.append(f"{method} {path}")
        if method == "POST":
            self._held = body
            return body
        if method == "DELETE":
            held, self._held = self._held, None
            return held
        return self._seen()

    def _seen(self) -> Tree | None:
        if self._held is None:
            return None
        self._looks += 1
        word = "True" if self._ready and self._looks > 1 else "False"
        kinds = ("Ready", "WorkersReady")
        told = [{"type": kind, "status": word, "reason": "Because", "message": "of this"} for kind in kinds]
        return {"status": {"conditions": told, "schedulerAddress": self._address}}


@pytest.fixture
def program(render: Renderer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, with the environment that the chart gives it, and a second that is short."""
    (pod,) = [item for item in render.objects() if item["kind"] == "Pod"]
    for variable in pod["spec"]["containers"][0]["env"]:
        if variable["name"] != "HOME":
            monkeypatch.setenv(variable["name"], variable["value"])
    assert pod["spec"]["containers"][0]["args"][0].strip() == PROGRAM.read_text().strip()
    spec = importlib.util.spec_from_file_location("compute", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    return module


@pytest.fixture
def scheduler() -> Iterator[str]:
    """The address of a scheduler with a worker."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def test_it_makes_a_cluster_computes_on_it_and_deletes_it(
    program: ModuleType, scheduler: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(scheduler)
    monkeypatch.setattr(program, "call", api)
    program.main()
    assert "computed 5050" in capsys.readouterr().out
    path = "/apis/kubernetes.dask.org/v1/namespaces/its-namespace/daskclusters"
    name = f"{path}/test-release-dask-operator"
    look, end = f"GET {name}", f"DELETE {name}"
    assert api.calls == [end, f"POST {path}", look, look, end]


def test_a_cluster_that_does_not_get_ready_is_deleted_and_its_conditions_are_the_reason(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api("", ready=False)
    monkeypatch.setattr(program, "call", api)
    monkeypatch.setattr(program, "DEADLINE", program.time.monotonic() + 0.2)
    with pytest.raises(SystemExit, match="Ready False: Because, of this"):
        program.main()
    assert api.calls[-1].startswith("DELETE")


def test_the_cluster_it_makes_is_one(program: ModuleType) -> None:
    cluster = json.loads(program.os.environ["CLUSTER"])
    assert (cluster["kind"], cluster["metadata"]["name"]) == ("DaskCluster", program.NAME)
    assert Path(program.ACCOUNT).parts[:3] == ("/", "var", "run")
