"""The notebook in examples/ runs from its first cell to its last, as a person would run it."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.kubectl import ROOT, get

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"


def shown(notebook: Any, source: str, kind: str = "text/plain") -> list[str]:
    """What the cell that has ``source`` in it has shown of a media type."""
    [cell] = [cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source]
    outputs = [output.get("data", {kind: output.get("text", "")}) for output in cell.outputs]
    return [str(data[kind]) for data in outputs if kind in data]


def test_the_notebook_runs_and_shows_its_cluster(
    namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DASK_KUBERNETES__NAMESPACE", namespace)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:Mismatched versions found")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    waited, made = shown(notebook, "cluster = KubeCluster(", "text/html")
    assert "Dask cluster notebook: ready" in waited
    assert "Workers" in made
    assert shown(notebook, "cluster = KubeCluster(", WIDGET)
    [pi] = shown(notebook, "def hits")
    assert 3.1 < float(pi) < 3.2
    assert "notebook-scheduler" in shown(notebook, "cluster.scale(2)")[-1]
    assert get(namespace, "daskcluster", "notebook") is None
