"""What others' APIs look like, out of their Go modules: for the chart's schema and the checks of what it renders."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from localcluster import paths
from localcluster.golang import Go, find
from localcluster.shell import LocalClusterError, capture, locked, step

OLDEST_GO = "1.24"
"""It only downloads: any Go that knows today's go.mod files will do."""


@dataclass(frozen=True)
class Document:
    """Files of one version of a Go module; `checksum` is the module's, as in a go.sum."""

    name: str
    module: str
    version: str
    checksum: str
    files: tuple[str, ...]


def _kubernetes(version: str, checksum: str) -> Document:
    minor = version.removeprefix("v").rsplit(".", 1)[0]
    swagger = "api/openapi-spec/swagger.json"
    return Document(f"kubernetes-{minor}", "k8s.io/kubernetes", version, checksum, (swagger,))


ALL = (
    _kubernetes("v1.30.14", "h1:MrlKXh9uhLIJpyxOeXhcndzRVSvwiV9iJ8NgH8nqPsg="),
    _kubernetes("v1.33.13", "h1:bmH31xUdSzeA5vk0wZAK9MZp11mdLuzUSeKk0qN3hPQ="),
    _kubernetes("v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o="),
    Document(
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        ),
    ),
)


def ensure() -> None:
    """Have all of them in the cache, and linked into `build/openapi`."""
    go = find(OLDEST_GO)
    for document in ALL:
        home = paths.cache_dir() / "openapi" / f"{document.name}-{document.version}"
        if not home.exists():
            with locked(paths.cache_dir() / "openapi" / ".lock", "the API documents"):
                _fetch(document, home, go)
        link = paths.build_dir() / "openapi" / document.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != home:
            link.unlink(missing_ok=True)
            link.symlink_to(home)


def _fetch(document: Document, home: Path, go: Go) -> None:
    with step(f"{document.name}: fetching the API documents"):
        module = _download(document, go)
        partial = home.with_name(f".{home.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in document.files:
            shutil.copyfile(module / name, partial / Path(name).name)
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)


def _download(document: Document, go: Go) -> Path:
    """The folder of the module. Raises LocalClusterError if it is not the one that is meant."""
    wanted = f"{document.module}@{document.version}"
    command = [str(go.command), "mod", "download", "-json", wanted]
    described = json.loads(capture(command, limit=900, env=go.environment()))
    if described["Sum"] != document.checksum:
        raise LocalClusterError(f"{wanted} has the checksum {described['Sum']}, not {document.checksum}")
    return Path(described["Dir"])
