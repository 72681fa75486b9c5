"""What the benchmarks have in common: namespaces, kubectl, the API server's audit log."""

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Tree = dict[str, Any]
T = TypeVar("T")


class BenchError(RuntimeError):
    """A benchmark cannot go on; says why."""


def kubectl(*arguments: str, stdin: str = "") -> str:
    """What kubectl prints.

    Raises:
        BenchError: it failed; its words.
    """
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise BenchError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def dask_image() -> str:
    """The image that the operator uses where nobody names one."""
    deployment = json.loads(
        kubectl("get", "deployment", "dask-operator", "-n", "dask-operator", "-o", "json")
    )
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(item["value"] for item in env if item["name"] == "DASK_OPERATOR_DEFAULT_IMAGE"))


def apply(namespace: str, *objects: Tree) -> None:
    """Apply objects, all in one call."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin="\n---\n".join(json.dumps(item) for item in objects))


def until(what: str, found: Callable[[], T], seconds: float = 120.0) -> T:
    """What ``found()`` gives as soon as it is true.

    Raises:
        BenchError: not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise BenchError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


@contextmanager
def namespace(prefix: str) -> Iterator[str]:
    """A namespace for one measurement; waits for its end, so that it does not disturb the next one."""
    name = f"{prefix}-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=true")
