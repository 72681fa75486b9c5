"""What is packaged, and how much of it: Helm keeps the whole chart in a Secret, which may have 1 MiB."""

import base64
import gzip
import json
import tarfile
from pathlib import Path

import pytest
import yaml

from tools.images import images

from .support import CHART, Renderer, Tree, run

MOST_BYTES = 1024 * 1024 // 4
"""A quarter of what a Secret may have: enough for values and extra objects of any admin."""


@pytest.fixture(scope="module")
def package(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged chart."""
    folder = tmp_path_factory.mktemp("package")
    done = run(helm, "package", CHART, "--destination", folder)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.tgz"))


@pytest.fixture(scope="module")
def contents(package: Path) -> dict[str, bytes]:
    """The files in the package, by their paths in the chart."""
    with tarfile.open(package) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {file.name.partition("/")[2]: archive.extractfile(file).read() for file in files}  # type: ignore[union-attr]


def stored(contents: dict[str, bytes], manifest: str) -> int:
    """Bytes of a release's Secret: the chart and the render as JSON, compressed, and encoded twice."""
    chart = {name: base64.b64encode(data).decode() for name, data in contents.items()}
    release = gzip.compress(json.dumps({"chart": chart, "manifest": manifest}).encode())
    return len(base64.b64encode(base64.b64encode(release)))


def test_a_release_fits_into_a_secret_with_room_to_spare(
    render: Renderer, contents: dict[str, bytes]
) -> None:
    everything: Tree = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text())
    assert stored(contents, render.text(everything)) < MOST_BYTES


def test_what_is_for_developers_is_not_packaged(contents: dict[str, bytes]) -> None:
    assert {
        name for name in contents if name.startswith(("ci/", "tests/")) or name.endswith(".gotmpl")
    } == set()


def test_what_an_install_needs_is_packaged(contents: dict[str, bytes]) -> None:
    needed = {
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "README.md",
        "files/compute.py",
        "templates/NOTES.txt",
    }
    assert needed <= set(contents)


def test_the_hub_is_told_of_all_four_kinds(crds: dict[str, Tree]) -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    told = {item["kind"]: item["name"] for item in yaml.safe_load(annotations["artifacthub.io/crds"])}
    assert told == {kind: crd["metadata"]["name"] for kind, crd in crds.items()}
    assert all(isinstance(value, str) for value in annotations.values())


def test_the_list_of_images_has_those_of_dask_pods_too(render: Renderer) -> None:
    values: Tree = {"imageRegistry": "mirror.example.com", "autoscaler": {"image": {"tag": "1"}}}
    found = images(render.objects(values))
    assert found == [
        "mirror.example.com/dask/dask-operator-autoscaler:1",
        "mirror.example.com/dask/dask-operator:0.1.0",
        "mirror.example.com/dask/dask:2026.8.0-py3.11",
    ]
