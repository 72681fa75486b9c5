"""Counting executions outside Dask: a Pod that writes down one line for each call, and forgets nothing."""

from dataclasses import dataclass

from .dask import on_workers
from .kubectl import Tree, apply, eventually, get, kubectl

PORT = 8000
_PROGRAM = f"""
import http.server, threading
lock = threading.Lock()
class Tally(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with lock:
            print("ran", self.path[1:], flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", {PORT}), Tally).serve_forever()
"""


@dataclass(frozen=True)
class Tally:
    """The Pod that counts."""

    namespace: str
    address: str
    """``host:port``, for tasks."""

    def runs(self) -> list[tuple[str, str]]:
        """Every execution so far: key, and name of the worker Pod that it began on."""
        lines = kubectl("logs", "tally", "-n", self.namespace).splitlines()
        runs = [line.removeprefix("ran ").partition("/") for line in lines if line.startswith("ran ")]
        return [(key, pod) for key, _, pod in runs]


def start_tally(namespace: str) -> Tally:
    """Start the Pod and wait until it listens."""
    container = {
        "name": "tally",
        "image": "localhost/dask:dev",
        "command": ["python", "-c", _PROGRAM],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tally"},
        "spec": {"containers": [container]},
    }
    apply(namespace, pod)

    def ready() -> Tree | None:
        found = get(namespace, "pod", "tally")
        conditions = (found or {}).get("status", {}).get("conditions", [])
        return found if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) else None

    pod_now = eventually("the tally Pod to be Ready", ready)
    return Tally(namespace, f"{pod_now['status']['podIP']}:{PORT}")


@on_workers
def note_run(address: str, key: str) -> None:
    """Write down that ``key`` runs, in the Pod where this is called. For use inside tasks."""
    import socket
    import urllib.request

    with urllib.request.urlopen(f"http://{address}/{key}/{socket.gethostname()}", timeout=30):
        pass
