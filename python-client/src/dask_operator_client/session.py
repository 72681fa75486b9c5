"""What a KubeCluster does on Kubernetes, for one DaskCluster: create or find it, wait, connect, scale, delete.

All of it runs in the event loop of one background thread; callers await it from any other.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from dask_operator_api import names
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_client import manifests, waiting
from dask_operator_client.errors import (
    ClusterDiffers,
    ClusterExists,
    ClusterNotFound,
    OperatorMissing,
    RequestRefused,
    WaitTimeout,
)
from dask_operator_client.forward import HOST, PortForward, Stream
from dask_operator_client.kube import Kube
from dask_operator_client.manifests import WorkerKeywords
from dask_operator_client.modes import CreateMode

COMM_PORT = 8786
DASHBOARD_PORT = 8787
DIRECT_SECONDS = 2.0
"""How long the scheduler's Service may take to answer in a Pod before a port-forward is tried."""


@dataclass(frozen=True)
class Endpoints:
    """Where this process reaches the scheduler."""

    scheduler: str
    """Address for Dask, such as ``tcp://127.0.0.1:41234``."""
    dashboard_host: str
    dashboard_port: int


class Session:
    """One DaskCluster, reached through one connection to the API server."""

    def __init__(self, kube: Kube, name: str, namespace: str) -> None:
        self._kube = kube
        self._forward: PortForward | None = None
        self.name = name
        self.namespace = namespace
        self.uid = ""
        self.created = False
        """Whether the DaskCluster was created here: then it is ours to delete."""

    @classmethod
    async def open(cls, name: str, namespace: str | None) -> "Session":
        """Connect to Kubernetes; ``namespace`` None is the one that goes with the configuration."""
        kube = await Kube.connect()
        return cls(kube, name, namespace or kube.namespace)

    async def find_or_create(self, keywords: WorkerKeywords, mode: CreateMode, patience: float) -> None:
        """Create the DaskCluster, or find it and compare it with the keywords.

        Raises:
            ClusterNotFound, ClusterExists: not what ``mode`` asks for.
            ClusterDiffers: it is there, and not like the keywords.
            WaitTimeout: an old cluster of that name was still there after ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        while True:
            body = await self._create_or_get(keywords, mode)
            if body is not None and not section(body, "metadata").get("deletionTimestamp"):
                break
            if time.monotonic() >= deadline:
                raise WaitTimeout(f"the old cluster {self.name} has not gone for {patience:g} s")
            await asyncio.sleep(waiting.interval(0))
        if not self.created:
            self._compare(keywords, body)
        self.uid = str(section(body, "metadata").get("uid", ""))

    async def until_ready(self, report: Callable[[str], None], patience: float) -> Manifest:
        """Wait until clients can connect; see :func:`dask_operator_client.waiting.until_ready`."""
        return await waiting.until_ready(self._observe, report, patience)

    async def connect(self, body: Manifest) -> Endpoints:
        """Make the scheduler reachable: directly where this is a Pod that can, else through a port-forward."""
        address = str(section(body, "status").get("schedulerAddress", ""))
        parts = urlsplit(address)
        if self._kube.in_pod and parts.hostname and await _answers(parts.hostname, parts.port or COMM_PORT):
            return Endpoints(address, parts.hostname, DASHBOARD_PORT)
        self._forward = PortForward(self._dial)
        await self._forward.check(COMM_PORT)
        local = await self._forward.open((COMM_PORT, DASHBOARD_PORT))
        return Endpoints(f"tcp://{HOST}:{local[COMM_PORT]}", HOST, local[DASHBOARD_PORT])

    async def scale(self, group: str, replicas: int) -> None:
        """Set the number of workers of a group of this cluster, given by its full name."""
        await self._own_group(group)
        await self._kube.scale(Kind.WORKER_GROUP, self.namespace, group, replicas)

    async def add_group(self, group: str, keywords: WorkerKeywords) -> None:
        """Create a worker group."""
        body = manifests.group_manifest(self.name, group, self.namespace, keywords)
        await self._kube.create(Kind.WORKER_GROUP, body)

    async def delete_group(self, group: str) -> None:
        """Delete a worker group of this cluster."""
        body = await self._own_group(group)
        await self._kube.delete(Kind.WORKER_GROUP, self.namespace, group, str(body["metadata"]["uid"]))

    async def adapt(self, minimum: int, maximum: int) -> None:
        """Create the cluster's DaskAutoscaler, or give it new bounds."""
        spec = {"cluster": self.name, "minimum": minimum, "maximum": maximum}
        body = {
            "apiVersion": API_VERSION,
            "kind": Kind.AUTOSCALER.value,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }
        try:
            await self._kube.create(Kind.AUTOSCALER, body)
        except ClusterExists:
            await self._kube.patch(Kind.AUTOSCALER, self.namespace, self.name, {"spec": spec})

    async def stop_adapting(self) -> None:
        """Delete the cluster's DaskAutoscaler, if there is one."""
        # who may not touch autoscalers, or has none installed, has not made one here
        with contextlib.suppress(RequestRefused, OperatorMissing):
            await self._kube.delete(Kind.AUTOSCALER, self.namespace, self.name)

    async def end(self, delete: bool) -> None:
        """Close the port-forward and all connections; with ``delete``, delete the DaskCluster.

        It is deleted only if it is still the same one.
        """
        try:
            if self._forward is not None:
                await self._forward.close()
            if delete and self.uid:
                await self._kube.delete(Kind.CLUSTER, self.namespace, self.name, self.uid)
        finally:
            await self._kube.close()

    async def _create_or_get(self, keywords: WorkerKeywords, mode: CreateMode) -> Manifest | None:
        """The cluster, created or found; None where it vanished between the two."""
        if mode is not CreateMode.CONNECT_ONLY:
            try:
                wanted = manifests.cluster_manifest(self.name, self.namespace, keywords)
                body = await self._kube.create(Kind.CLUSTER, wanted)
                self.created = True
                return body
            except ClusterExists:
                if mode is CreateMode.CREATE_ONLY:
                    raise
        try:
            return await self._kube.get(Kind.CLUSTER, self.namespace, self.name)
        except ClusterNotFound:
            if mode is CreateMode.CONNECT_ONLY:
                raise ClusterNotFound(
                    f"there is no DaskCluster {self.name} in the namespace {self.namespace}"
                ) from None
            return None

    def _compare(self, keywords: WorkerKeywords, body: Manifest) -> None:
        found = manifests.differences(keywords, body)
        if found:
            told = "; ".join(
                f"{key}: asked for {asked!r}, it has {has!r}" for key, (asked, has) in found.items()
            )
            raise ClusterDiffers(
                f"there is a cluster {self.name} in the namespace {self.namespace} already, and it is not like the "
                f"keywords: {told}. Leave these keywords out to use it, or choose another name",
                tuple(found),
            )

    async def _observe(self) -> Manifest | None:
        try:
            body = await self._kube.get(Kind.CLUSTER, self.namespace, self.name)
        except ClusterNotFound:
            return None
        same = section(body, "metadata").get("uid") == self.uid
        return body if same and not body["metadata"].get("deletionTimestamp") else None

    async def _own_group(self, group: str) -> Manifest:
        """A worker group, which must be this cluster's: ``a-b-default`` may be that of cluster ``a-b``."""
        body = await self._kube.get(Kind.WORKER_GROUP, self.namespace, group)
        cluster = section(body, "spec").get("cluster")
        if cluster != self.name:
            raise ClusterNotFound(
                f"the worker group {group} belongs to cluster {cluster}, not to {self.name}"
            )
        return body

    async def _dial(self, port: int) -> Stream:
        """Open a connection to the scheduler Pod that there is now."""
        body = await self._kube.get(Kind.CLUSTER, self.namespace, self.name)
        pod = section(body, "status", "scheduler").get("podName") or names.scheduler_name(self.name)
        return await self._kube.open_port(self.namespace, str(pod), port)


async def _answers(host: str, port: int) -> bool:
    """Whether a TCP connection can be made."""
    try:
        async with asyncio.timeout(DIRECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError and a name that does not resolve among them
        return False
    writer.close()
    return True
