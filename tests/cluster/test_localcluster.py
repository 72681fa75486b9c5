"""The local cluster itself: where it is not like any other, tests of the product would find out about it instead."""

import ipaddress
import socket

import pytest
from localcluster.settings import FAKE_POD_RANGE, SERVICE_RANGE, load

from tests.support.kubectl import ROOT, apply, eventually, get, kubectl

NOBODY = ipaddress.ip_network(SERVICE_RANGE)[-2]
"""A Service's address that none has: they are given out at random, of thousands."""

PROGRAM = f"""
import socket
try:
    print(socket.create_connection(("{NOBODY}", 8786), timeout=10).recv(8))
except OSError as error:
    print(type(error).__name__)
"""

LOST = ipaddress.ip_interface(FAKE_POD_RANGE).network[-2]
"""An address of a fake Pod that there is not: fake nodes give out low ones."""

local = pytest.mark.skipif(load() is None, reason="not the local cluster")


@local
def test_an_address_that_no_service_has_is_refused_in_a_pod(namespace: str) -> None:
    container = {
        "name": "client",
        "image": (ROOT / "build" / "image-tests").read_text().strip(),
        "command": ["/opt/client/bin/python", "-c", PROGRAM],
    }
    spec = {"containers": [container], "restartPolicy": "Never"}
    apply(namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": spec})
    eventually(
        "the Pod to end",
        lambda: (get(namespace, "pod", "client") or {})["status"]["phase"] == "Succeeded",
        60,
    )
    assert kubectl("logs", "client", "-n", namespace).strip() == "ConnectionRefusedError"


@local
def test_nobody_answers_or_refuses_for_a_pod_on_a_fake_node() -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection((str(LOST), 8786), timeout=2)
