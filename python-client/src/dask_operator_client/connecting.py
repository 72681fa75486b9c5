"""The ways to a scheduler: an address that the user names, its Service, or a port-forward."""

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from dask_operator_api import names
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client.errors import ClusterNotFound, RequestRefused
from dask_operator_client.forward import HOST, PortForward
from dask_operator_client.keywords import Options
from dask_operator_client.kube import Kube

COMM_PORT = 8786
DASHBOARD_PORT = 8787
DIRECT_SECONDS = 2.0
"""How long an address may take to answer before another way is tried."""
IN_CLUSTER = "in the cluster"
SETTLING_SECONDS = {IN_CLUSTER: 10.0, "LoadBalancer": 10.0, "NodePort": 3.0}
"""For so long it is tried again: what has just got its address carries nothing at first."""
RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Endpoints:
    """Where this process reaches the scheduler."""

    scheduler: str
    """Address for Dask, such as ``tcp://127.0.0.1:41234``."""
    dashboard_host: str
    dashboard_port: int
    dashboard: str = ""
    """The dashboard's address where the user named it, such as ``https://dask.example.com``."""


async def endpoints(kube: Kube, forward: PortForward, body: Manifest, options: Options) -> Endpoints:
    """Where the scheduler of a DaskCluster can be reached from here: the first of these that answers.

    1. ``scheduler_address``, which is not tried but taken, since it was asked for;
    2. the Service's address, in a Pod;
    3. the load balancer's, or a node's, for a Service of that type;
    4. a port-forward.

    Raises:
        ClusterError: not even a port-forward can be opened.
    """
    if options.scheduler_address is not None:
        return _named(options.scheduler_address, options)
    found = await _in_cluster(kube, body) or await _exposed(kube, body, options.resource_timeout)
    if found is None:
        await forward.check(COMM_PORT)
        local = await forward.open({COMM_PORT: 0, DASHBOARD_PORT: options.scheduler_forward_port or 0})
        found = Endpoints(f"tcp://{HOST}:{local[COMM_PORT]}", HOST, local[DASHBOARD_PORT])
    return Endpoints(
        found.scheduler, found.dashboard_host, found.dashboard_port, options.dashboard_address or ""
    )


def _named(address: str, options: Options) -> Endpoints:
    host = urlsplit(address).hostname or ""
    return Endpoints(address, host, DASHBOARD_PORT, options.dashboard_address or "")


async def _in_cluster(kube: Kube, body: Manifest) -> Endpoints | None:
    address = str(section(body, "status").get("schedulerAddress", ""))
    parts = urlsplit(address)
    if not kube.in_pod or not parts.hostname:
        return None
    port = parts.port or COMM_PORT
    if not await answers(parts.hostname, port, SETTLING_SECONDS[IN_CLUSTER]):
        return None
    return Endpoints(address, parts.hostname, DASHBOARD_PORT)


async def _exposed(kube: Kube, body: Manifest, patience: float) -> Endpoints | None:
    """The way through a load balancer or a node port; None where the Service has no such type, or it is no way."""
    kind = section(body, "spec", "scheduler", "service").get("type")
    try:
        if kind == "LoadBalancer":
            found = await _load_balancer(kube, body, patience)
        else:
            found = await _node_port(kube, body) if kind == "NodePort" else None
    except (RequestRefused, ClusterNotFound):  # who may not read Services may still have a port-forward
        return None
    if found is None:
        return None
    host, port, dashboard = found
    reached = await answers(host, port, SETTLING_SECONDS[str(kind)])
    return Endpoints(f"tcp://{host}:{port}", host, dashboard) if reached else None


async def _load_balancer(kube: Kube, body: Manifest, patience: float) -> tuple[str, int, int] | None:
    """Where the load balancer is, as soon as it has an address; None after ``patience`` seconds without one."""
    deadline = time.monotonic() + patience
    while True:
        service = await _service(kube, body)
        ingress = next(iter(items(service, "status", "loadBalancer", "ingress")), {})
        host = ingress.get("ip") or ingress.get("hostname")
        if host:
            ports = _ports(service, "port")
            return str(host), ports.get("tcp-comm", COMM_PORT), ports.get("http-dashboard", DASHBOARD_PORT)
        if time.monotonic() >= deadline:
            return None
        await asyncio.sleep(RETRY_SECONDS)


async def _node_port(kube: Kube, body: Manifest) -> tuple[str, int, int] | None:
    service = await _service(kube, body)
    metadata = section(body, "metadata")
    pod_name = section(body, "status", "scheduler").get("podName") or names.scheduler_name(metadata["name"])
    pod = await kube.core(str(metadata["namespace"]), "pods", str(pod_name))
    host, ports = section(pod, "status").get("hostIP"), _ports(service, "nodePort")
    if not host or "tcp-comm" not in ports:
        return None
    return str(host), ports["tcp-comm"], ports.get("http-dashboard", DASHBOARD_PORT)


async def _service(kube: Kube, body: Manifest) -> Manifest:
    metadata = section(body, "metadata")
    name = names.scheduler_name(str(metadata["name"]))
    return await kube.core(str(metadata["namespace"]), "services", name)


def _ports(service: Manifest, key: str) -> dict[str, int]:
    return {
        str(port.get("name")): int(port[key]) for port in items(service, "spec", "ports") if port.get(key)
    }


async def answers(host: str, port: int, patience: float = 0.0) -> bool:
    """Whether a TCP connection can be made; tried again for ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not await _answers(host, port):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(RETRY_SECONDS)
    return True


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(DIRECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError and a name that does not resolve among them
        return False
    writer.close()
    return True
