"""What `helm test` runs in a Pod: it makes a small DaskCluster, computes on it, and deletes it."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from distributed import Client

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NAME = os.environ["CLUSTER_NAME"]
CLUSTERS = f"/apis/kubernetes.dask.org/v1/namespaces/{os.environ['CLUSTER_NAMESPACE']}/daskclusters"
DEADLINE = time.monotonic() + float(os.environ["TIMEOUT_SECONDS"])


def call(method: str, path: str, body: Any = None) -> Any:
    """The API server's answer; None if there is no such object."""
    host = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    if host.count(":") > 1:
        host = f"[{os.environ['KUBERNETES_SERVICE_HOST']}]:{os.environ['KUBERNETES_SERVICE_PORT']}"
    with open(f"{ACCOUNT}/token") as token:
        headers = {"Authorization": f"Bearer {token.read()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"https://{host}{path}", data, headers, method=method)
    trust = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404 and method != "POST":
            return None
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


def conditions(cluster: Any) -> str:
    """What the operator says of the cluster."""
    found = cluster.get("status", {}).get("conditions", [])
    if not found:
        return "it has no condition: does the operator run, and look after this namespace?"
    return "; ".join(f"{c['type']} {c['status']}: {c['reason']}, {c['message']}" for c in found)


def pause(waiting_for: str) -> None:
    """Wait a second, or give up."""
    if time.monotonic() > DEADLINE:
        sys.exit(f"waited too long for {waiting_for}")
    time.sleep(1)


def clear_away() -> None:
    """Delete what an earlier run has left, and wait until it is gone."""
    while call("DELETE", f"{CLUSTERS}/{NAME}") is not None:
        pause(f"the end of DaskCluster {NAME}")


def ready() -> str:
    """The address of the cluster's scheduler, as soon as the cluster and its worker are ready."""
    while True:
        cluster = call("GET", f"{CLUSTERS}/{NAME}") or sys.exit(f"DaskCluster {NAME} was deleted by somebody")
        told = {c["type"]: c["status"] for c in cluster.get("status", {}).get("conditions", [])}
        if told.get("Ready") == told.get("WorkersReady") == "True":
            return str(cluster["status"]["schedulerAddress"])
        pause(f"DaskCluster {NAME}: {conditions(cluster)}")


def main() -> None:
    """Make, compute, delete."""
    clear_away()
    call("POST", CLUSTERS, json.loads(os.environ["CLUSTER"]))
    try:
        address = ready()
        with Client(address, timeout=60) as client:
            answer = client.submit(sum, range(101)).result(timeout=60)
        if answer != 5050:
            sys.exit(f"the sum of 0 to 100 is not {answer}")
        print(f"DaskCluster {NAME} is ready, and its scheduler at {address} has computed {answer}")
    finally:
        call("DELETE", f"{CLUSTERS}/{NAME}")


if __name__ == "__main__":
    main()
