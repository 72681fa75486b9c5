"""Megabytes a second through the client's port-forward, up and down, against `kubectl port-forward`."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from dask_operator_client.background import LoopThread
from dask_operator_client.forward import HOST, PortForward, Stream
from dask_operator_client.kube import Kube

from bench.cluster import apply, dask_image, kubectl, namespace, until

MEGABYTES = 200
ROUNDS = 3
PORT = 9000
POD = "peer"
PROGRAM = f"""
import socketserver
class Peer(socketserver.BaseRequestHandler):
    def handle(self):
        way, left, chunk = self.request.recv(1), {MEGABYTES} * 1_000_000, bytes(1 << 18)
        while left > 0:
            if way == b"d":
                part = chunk[:left]
                self.request.sendall(part)
            else:
                part = self.request.recv(1 << 18)
                if not part:
                    return
            left -= len(part)
        self.request.sendall(b"!")
        self.request.recv(1)
socketserver.ThreadingTCPServer(("", {PORT}), Peer).serve_forever()
"""


def run() -> Iterator[str]:
    """Both, one after the other, several times, each way; the medians count."""
    with namespace("bench-forward") as space:
        apply(space, _pod())
        kubectl("wait", "pod", POD, "-n", space, "--for=condition=Ready", "--timeout=60s")
        with _ours(space) as our_port, _kubectl(space) as their_port:
            for way, words in (("u", "up"), ("d", "down")):
                ours, theirs = zip(
                    *[(_rate(our_port, way), _rate(their_port, way)) for _ in range(ROUNDS)], strict=True
                )
                yield (
                    f"{words}: {median(ours):.0f} MB/s, kubectl {median(theirs):.0f} MB/s: "
                    f"{median(ours) / median(theirs):.0%}"
                )


def _rate(port: int, way: str) -> float:
    chunk = bytes(1 << 18)
    with socket.create_connection((HOST, port), timeout=120) as connection:
        start = time.monotonic()
        connection.sendall(way.encode())
        left = MEGABYTES * 1_000_000
        while left > 0:
            if way == "u":
                connection.sendall(chunk[:left])
                left -= len(chunk)
            else:
                left -= len(connection.recv(1 << 18))
        if way == "u":
            assert connection.recv(1) == b"!"
        return MEGABYTES / (time.monotonic() - start)


@contextmanager
def _ours(space: str) -> Iterator[int]:
    background = LoopThread("port-forward")
    background.start()

    async def opened() -> tuple[Kube, PortForward, int]:
        kube = await Kube.connect()

        async def dial(port: int) -> Stream:
            return await kube.open_port(space, POD, port)

        forward = PortForward(dial)
        return kube, forward, (await forward.open({PORT: 0}))[PORT]

    kube, forward, port = asyncio.run(background.run(opened()))
    try:
        yield port
    finally:
        asyncio.run(background.run(forward.close()))
        asyncio.run(background.run(kube.close()))
        background.stop()


@contextmanager
def _kubectl(space: str) -> Iterator[int]:
    command = ["kubectl", "port-forward", "-n", space, f"pod/{POD}", f":{PORT}", "--address", HOST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            line = until("kubectl to listen", forwarding.stdout.readline)
            yield int(line.split(f"{HOST}:")[1].split()[0])
        finally:
            forwarding.terminate()


def _pod() -> dict[str, object]:
    ready = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    container = {
        "name": "peer",
        "image": dask_image(),
        "command": ["python", "-c", PROGRAM],
        "readinessProbe": ready,
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
