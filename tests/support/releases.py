"""Releases of the chart on the test cluster, beside the one that the other tests use or in its place."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .kubectl import KUBECONFIG, ROOT, Tree, eventually, get, kubectl, list_objects
from .namespaces import WATCHED
from .operator_process import NAMESPACE

CHART = ROOT / "charts" / "dask-operator"
BIN = ROOT / "build" / "bin"
SITE = ROOT / "build" / "incumbent" / "lib"
TAKE = ("--take-ownership", "--force-conflicts")
"""For definitions that another release has left."""

IMAGES = {"operator.image": "operator", "autoscaler.image": "autoscaler", "dask.image": "dask"}
"""Where the values name an image, and what `make images` calls it."""


def run(*command: str | Path, seconds: float = 600, folder: Path = ROOT) -> str:
    """What a program of the tool chain prints; the test fails with its words if it fails."""
    words = [str(word) for word in command]
    path = f"{BIN}:{os.environ['PATH']}"
    done = subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "KUBECONFIG": str(KUBECONFIG), "PATH": path},
    )
    if done.returncode:
        pytest.fail(f"{' '.join(words)}:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def image_values(renamed: Mapping[str, str] | None = None) -> list[str]:
    """Flags for the images of this checkout; ``renamed`` are other keys for some of them."""
    flags = []
    for key, name in IMAGES.items():
        file = ROOT / "build" / f"image-{name}"
        if not file.exists():
            pytest.fail(f"{file} is missing: run `make images`")
        registry, _, path = file.read_text().strip().partition("/")
        repository, _, tag = path.rpartition(":")
        key = (renamed or {}).get(key, key)
        parts = {"registry": registry, "repository": repository, "tag": tag}
        flags += [f"--set-string={key}.{part}={value}" for part, value in parts.items()]
    return flags


def upgrade(release: str, namespace: str, *flags: str, chart: Path = CHART) -> None:
    """``helm upgrade --install`` with this checkout's images, until all of it runs."""
    images = image_values() if chart == CHART else image_values(_older_keys(chart))
    wait = ("--wait", "--timeout=180s", "--create-namespace")
    run("helm", "upgrade", "--install", release, chart, f"--namespace={namespace}", *wait, *images, *flags)


def previous_chart(folder: Path) -> Path:
    """The chart of the commit before, put into a folder where it is in the repository; else the test is skipped."""
    path = CHART.relative_to(ROOT)
    packed = subprocess.run(
        ["git", "archive", "HEAD~1", str(path)], cwd=ROOT, capture_output=True, check=False
    )
    if packed.returncode:
        pytest.skip("there is no commit before this one")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / path


def _older_keys(chart: Path) -> dict[str, str]:
    """Where a chart of an earlier commit has the image of the operator."""
    older = "\nimage:\n" in (chart / "values.yaml").read_text()
    return {"operator.image": "image"} if older else {}


def uninstall(release: str, namespace: str) -> None:
    """``helm uninstall``, of nothing too."""
    run("helm", "uninstall", release, f"--namespace={namespace}", "--ignore-not-found", "--wait")


@contextmanager
def instead_of_the_release() -> Iterator[None]:
    """Without the release of the other tests, which comes back at the end. Definitions and Dask clusters stay."""
    uninstall(NAMESPACE, NAMESPACE)
    try:
        eventually("its Pods to be gone", lambda: not list_objects(NAMESPACE, "pods"), 90)
        yield
    finally:
        watched = {"WATCH_NAMESPACES": " ".join(WATCHED)}
        subprocess.run(
            [str(ROOT / "localcluster" / "install"), "dask-operator"],
            check=True,
            timeout=300,
            env={
                **os.environ,
                **watched,
                "KUBECONFIG": str(KUBECONFIG),
                "PATH": f"{BIN}:{os.environ['PATH']}",
            },
        )


@contextmanager
def incumbent_release(place: str) -> Iterator[None]:
    """The operator of dask-kubernetes, by its own chart with its own definitions, as they come with its wheel.

    Those have no status subresource, and it has no right to ours: with other definitions than its own it does nothing.
    """
    (chart,) = SITE.glob(
        "python3.*/site-packages/dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator"
    )
    image = (ROOT / "build" / "image-incumbent-operator").read_text().strip()
    name, _, tag = image.rpartition(":")
    values = (
        f"--set=image.name={name}",
        f"--set-string=image.tag={tag}",
        "--set=image.pullPolicy=IfNotPresent",
    )
    wait = ("--skip-crds", "--wait", "--timeout=180s")
    # Helm leaves definitions that are there already as they are.
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={chart / 'crds'}")
    run("helm", "install", "theirs", chart, f"--namespace={place}", *wait, *values)
    try:
        yield
    finally:
        uninstall("theirs", place)


@contextmanager
def namespaces(*names: str, labels: Mapping[str, str] | None = None) -> Iterator[None]:
    """Namespaces, with labels; gone at the end, not just about to go, with the releases in them.

    What such a release has outside of its namespace would outlive that, and tell other operators that it is at work.
    """
    for name in names:
        kubectl("create", "namespace", name)
        for key, value in (labels or {}).items():
            kubectl("label", "namespace", name, f"{key}={value}")
    try:
        yield
    finally:
        for name in names:
            for release in run("helm", "list", "--short", f"--namespace={name}").split():
                uninstall(release, name)
        kubectl("delete", "namespace", *names, "--wait=false", "--ignore-not-found")
        for name in names:
            eventually(f"namespace {name} to be gone", lambda name=name: namespace_gone(name), 180)  # type: ignore[misc]


def namespace_gone(name: str) -> bool:
    """Whether nothing is left of a namespace."""
    return not kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name").strip()


def definitions() -> dict[str, Any]:
    """The schemas of the four kinds, as the API server has them."""
    text = kubectl("get", "crd", "-o", "json")
    ours = [item for item in json.loads(text)["items"] if item["spec"]["group"] == "kubernetes.dask.org"]
    return {item["metadata"]["name"]: item["spec"]["versions"] for item in ours}


def pods_as_made(namespace: str, cluster: str) -> dict[str, Tree]:
    """Of every Pod of a Dask cluster what nobody may touch: who it is, what it runs, and how often it began anew."""
    found = {}
    for pod in list_objects(namespace, "pods", f"dask.org/cluster-name={cluster}"):
        meta = {key: pod["metadata"].get(key) for key in ("uid", "labels", "annotations", "ownerReferences")}
        restarts = [status["restartCount"] for status in pod["status"].get("containerStatuses", [])]
        found[pod["metadata"]["name"]] = {"metadata": meta, "spec": pod["spec"], "restarts": restarts}
    return found


def wait_for_cluster(namespace: str, name: str, workers: int, seconds: float = 120) -> None:
    """Wait until a DaskCluster is complete."""

    def complete() -> bool:
        held = (get(namespace, "daskcluster", name) or {}).get("status", {}).get("workers", {})
        return bool(held.get("summary") == f"{workers}/{workers}")

    eventually(f"{workers} workers of {name}", complete, seconds)
