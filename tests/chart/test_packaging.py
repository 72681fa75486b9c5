"""What is packaged, and how much of it: Helm keeps the whole chart in a Secret, which may have 1 MiB."""

import base64
import gzip
import hashlib
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tools.images import images

from .support import CHART, ROOT, Renderer, Tree, run

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


@pytest.fixture(scope="module")
def dist(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes."""
    cache = Path(os.environ.get("DASK_OPERATOR_CACHE") or Path.home() / ".cache" / "dask-operator")
    uv = next(iter(sorted(cache.glob("uv-*/bin/uv"))), None)
    assert uv is not None, f"there is no uv in {cache}: run `make venv`"
    folder = tmp_path_factory.mktemp("dist") / "dist"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{helm.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}")
        done = run(ROOT / "tools" / "dist", uv, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_release_has_the_chart_its_index_the_wheels_and_the_images(dist: Path) -> None:
    wheels = {path.name.split("-")[0] for path in (dist / "wheels").glob("*.whl")}
    assert wheels == {
        "dask_operator",
        "dask_operator_api",
        "dask_operator_autoscaler",
        "dask_operator_client",
    }
    (entry,) = yaml.safe_load((dist / "charts" / "index.yaml").read_text())["entries"]["dask-operator"]
    (package,) = (dist / "charts").glob("*.tgz")
    assert entry["urls"] == [package.name]
    assert entry["digest"] == hashlib.sha256(package.read_bytes()).hexdigest()
    assert len((dist / "images.txt").read_text().splitlines()) == 3
    sums = [line.split(maxsplit=1) for line in (dist / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {
        f"./{path.relative_to(dist)}"
        for path in dist.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert all(hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest for digest, name in sums)


def test_the_packaged_chart_installs_what_the_folder_does(helm: Path, dist: Path, render: Renderer) -> None:
    (package,) = (dist / "charts").glob("*.tgz")
    done = run(helm, "template", render.release, package, "--namespace", render.namespace)
    assert done.returncode == 0, done.stderr
    assert list(filter(None, yaml.safe_load_all(done.stdout))) == render.objects()
