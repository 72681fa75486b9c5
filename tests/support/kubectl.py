"""kubectl, as the tests use it: the project's own binary, on the project's own kubeconfig."""

import functools
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from .reading import Reader, ReadError

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / "build" / "bin" / "kubectl"
KUBECONFIG = Path(os.environ.get("KUBECONFIG") or ROOT / "build" / "kubeconfig")

Tree = dict[str, Any]
T = TypeVar("T")


class KubectlError(AssertionError):
    """kubectl ended with an error: what was called, and its words."""


def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> str:
    """What kubectl prints; its standard error is the message of a :class:`KubectlError`."""
    if not KUBECTL.exists() or not KUBECONFIG.exists():
        pytest.fail("there is no cluster to test on: run `make cluster tools install`")
    done = subprocess.run(
        [str(KUBECTL), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "KUBECONFIG": str(KUBECONFIG)},
        check=False,
    )
    if check and done.returncode:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def apply(namespace: str, *objects: Tree) -> None:
    """Apply objects."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin="\n---\n".join(json.dumps(item) for item in objects))


def get(namespace: str, kind: str, name: str) -> Tree | None:
    """One object, or None."""
    try:
        return _reader().get(namespace, kind, name)
    except ReadError as error:
        raise KubectlError(str(error)) from error


def list_objects(namespace: str, kinds: str, selector: str = "") -> list[Tree]:
    """All objects of some kinds (``pods,services``)."""
    try:
        return _reader().items(namespace, kinds, selector)
    except ReadError as error:
        raise KubectlError(str(error)) from error


@functools.cache
def _reader() -> Reader:
    return Reader(str(KUBECTL), str(KUBECONFIG))


def eventually(what: str, found: Callable[[], T | None], seconds: float = 60, every: float = 0.2) -> T:
    """What ``found()`` gives, as soon as it is true; fails after ``seconds`` and says what it waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}; at the end: {value!r}")
        time.sleep(every)
