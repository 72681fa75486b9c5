"""Reading objects in loops: through one `kubectl proxy` for the whole process.

A kubectl for every look takes more of the machine than what is being looked at.
"""

import atexit
import functools
import http.client
import json
import os
import re
import subprocess
import threading
import time
from typing import Any
from urllib.parse import urlencode

Tree = dict[str, Any]

GROUPS = (
    "api/v1",
    "apis/kubernetes.dask.org/v1",
    "apis/apps/v1",
    "apis/policy/v1",
    "apis/coordination.k8s.io/v1",
    "apis/batch/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
)
SECONDS = 30.0
SETTLING_SECONDS = 10.0

PASSING = frozenset({0, 429, 500, 502, 503, 504})
"""Statuses (0: no answer) of an API server that is busy or away for a moment."""


class _Connection(http.client.HTTPConnection):
    """A connection that is closed when its thread has ended."""

    def __del__(self) -> None:
        self.close()


_local = threading.local()
_proxies: list["subprocess.Popen[str]"] = []


@atexit.register
def _end() -> None:
    for proxy in _proxies:
        proxy.terminate()
        proxy.wait(10)


class ReadError(AssertionError):
    """The API server did not give what was asked for: its status and its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


@functools.cache
def _port(kubectl: str, kubeconfig: str) -> int:
    """The port of this process's proxy, which is started by the first look and ends with the process."""
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    proxy = subprocess.Popen(
        [kubectl, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True, env=environment
    )
    _proxies.append(proxy)
    assert proxy.stdout is not None
    found = re.search(r"127\.0\.0\.1:(\d+)", line := proxy.stdout.readline())
    assert found is not None, f"kubectl proxy did not start: {line}"
    return int(found[1])


class Reader:
    """Looks at the cluster of a kubeconfig."""

    def __init__(self, kubectl: str, kubeconfig: str) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._paths: dict[str, tuple[str, str, bool]] = {}

    def get(self, namespace: str, kind: str, name: str) -> Tree | None:
        """One object, or None.

        Raises:
            ReadError: the API server does not answer, or not with an object.
        """
        try:
            return self._call(f"{self._path(namespace, kind)}/{name}")
        except ReadError as error:
            if error.status == 404:
                return None
            raise

    def items(self, namespace: str, kinds: str, selector: str = "") -> list[Tree]:
        """All objects of some kinds (``pods,services``)."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        return [item for kind in kinds.split(",") for item in self._items(namespace, kind, query)]

    def _items(self, namespace: str, kind: str, query: str) -> list[Tree]:
        path = self._path(namespace, kind)
        listed = self._call(path + query)
        single = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        return [{**single, **item} for item in listed["items"]]

    def _path(self, namespace: str, kind: str) -> str:
        prefix, plural, namespaced = self._resource(kind.lower())
        space = f"/namespaces/{namespace}" if namespaced else ""
        return f"/{prefix}{space}/{plural}"

    def _resource(self, name: str) -> tuple[str, str, bool]:
        if name not in self._paths:
            for prefix in GROUPS:
                for found in self._call(f"/{prefix}")["resources"]:
                    names = (found["name"], found.get("singularName"), found["kind"].lower())
                    for known in (*names, *found.get("shortNames", ())):
                        if known and "/" not in found["name"]:
                            self._paths.setdefault(known, (prefix, found["name"], found["namespaced"]))
        assert name in self._paths, f"there is no resource {name}"
        return self._paths[name]

    def _call(self, path: str) -> Tree:
        """What is at a path. An API server that has just been started is given a moment, as kubectl does."""
        deadline = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                return self._connected(path)
            except ReadError as error:
                if error.status not in PASSING or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _connected(self, path: str) -> Tree:
        for fresh in (False, True):
            try:
                return self._ask(path)
            except (http.client.HTTPException, ConnectionError) as error:
                _local.connection = None  # an idle one may have been closed
                if fresh:
                    raise ReadError(0, f"{path}: {error}") from error
        raise AssertionError("unreachable")

    def _ask(self, path: str) -> Tree:
        connection: http.client.HTTPConnection | None = getattr(_local, "connection", None)
        if connection is None:
            port = _port(self._kubectl, self._kubeconfig)
            connection = _local.connection = _Connection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        if response.status != 200:
            raise ReadError(response.status, f"{path}: {text[:300]}")
        answer: Tree = json.loads(text)
        return answer
