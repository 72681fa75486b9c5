"""API documents out of Go modules: those that are meant, or none."""

import json
from pathlib import Path

import pytest
from localcluster.golang import Go
from localcluster.shell import LocalClusterError

from localcluster import openapi, paths

GO = Go(Path("/nowhere/go"), "go1.26.0")
DOCUMENT = openapi.Document("some", "example.com/some", "v1.2.3", "h1:right", ("deep/file.json",))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module as Go has unpacked it; cache and checkout are folders of the test."""
    folder = tmp_path / "module"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file.json").write_text("{}")
    answer = json.dumps({"Sum": "h1:right", "Dir": str(folder)})
    monkeypatch.setattr(openapi, "capture", lambda *_args, **_options: answer)
    monkeypatch.setattr(openapi, "find", lambda _oldest: GO)
    monkeypatch.setattr(openapi, "ALL", (DOCUMENT,))
    monkeypatch.setattr(paths, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(paths, "build_dir", lambda: tmp_path / "build")
    return folder


@pytest.mark.usefixtures("module")
def test_documents_are_linked_into_the_checkout_and_survive_a_second_time(tmp_path: Path) -> None:
    for _ in range(2):
        openapi.ensure()
        assert (tmp_path / "build" / "openapi" / "some" / "file.json").read_text() == "{}"


def test_another_version_takes_the_place_of_the_one_before(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openapi.ensure()
    (module / "deep" / "file.json").write_text("[]")
    newer = openapi.Document("some", "example.com/some", "v1.2.4", "h1:right", DOCUMENT.files)
    monkeypatch.setattr(openapi, "ALL", (newer,))
    openapi.ensure()
    assert (tmp_path / "build" / "openapi" / "some" / "file.json").read_text() == "[]"


@pytest.mark.usefixtures("module")
def test_a_module_that_is_another_one_is_refused_with_both_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = openapi.Document("some", "example.com/some", "v1.2.3", "h1:wanted", DOCUMENT.files)
    monkeypatch.setattr(openapi, "ALL", (wanted,))
    with pytest.raises(LocalClusterError, match="h1:right, not h1:wanted"):
        openapi.ensure()
    assert not (tmp_path / "build").exists()


def test_the_oldest_kubernetes_of_the_chart_is_among_them() -> None:
    assert "kubernetes-1.30" in {document.name for document in openapi.ALL}
