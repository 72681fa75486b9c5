"""What a KubeCluster does on Kubernetes, for one DaskCluster: create or find it, wait, connect, scale, delete.

All of it runs in the event loop of one background thread; callers await it from any other.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

from dask_operator_api import labels, names
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_client import connecting, manifests, rivals, waiting
from dask_operator_client.connecting import Endpoints
from dask_operator_client.errors import (
    AnswerLost,
    ClusterError,
    ClusterExists,
    ClusterNotFound,
    KubernetesUnavailable,
    OperatorMissing,
    RequestRefused,
    WaitTimeout,
)
from dask_operator_client.forward import PortForward, Stream
from dask_operator_client.heart import NO_SIGNS, Heart, first_signs
from dask_operator_client.keywords import Keywords, Options
from dask_operator_client.kube import Claim, Kube, claimed_uid
from dask_operator_client.modes import CreateMode

LAST_POST_SECONDS = 5.0
"""How long somebody who gives up waits for the answer to a request that would create a cluster."""

LAST_CALL_SECONDS = 5.0
"""How long it is tried again to leave all as it should be while the API server cannot be reached, or cannot answer."""
RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class Session:
    """One DaskCluster, reached through one connection to the API server."""

    def __init__(self, kube: Kube, name: str, namespace: str) -> None:
        self._kube = kube
        self._forward: PortForward | None = None
        self._heart: Heart | None = None
        self._post: asyncio.Task[Manifest] | None = None
        self._unanswered = False
        self.claim = Claim(name, namespace, kube.source, creation=secrets.token_hex(8))
        self.created = False
        """Whether the DaskCluster was created here, or may have been: then it is ours to delete."""

    @classmethod
    async def open(cls, name: str, namespace: str | None) -> "Session":
        """Connect to Kubernetes; ``namespace`` None is the one that goes with the configuration."""
        kube = await Kube.connect()
        return cls(kube, name, namespace or kube.namespace)

    @property
    def name(self) -> str:
        """The name of the DaskCluster."""
        return self.claim.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.claim.namespace

    @property
    def uid(self) -> str:
        """Its uid; empty before it was seen."""
        return self.claim.uid

    async def find_or_create(self, keywords: Keywords, options: Options) -> Manifest:
        """Create the DaskCluster, or find it and compare it with the keywords.

        Raises:
            ClusterNotFound, ClusterExists: not what the create mode asks for.
            ClusterDiffers: it is there, and not like the keywords.
            WaitTimeout: an old cluster of that name was still there after ``resource_timeout`` seconds.
        """
        deadline = time.monotonic() + options.resource_timeout
        while True:
            body = await self._create_or_get(keywords, options, deadline)
            if body is not None and not section(body, "metadata").get("deletionTimestamp"):
                break
            if time.monotonic() >= deadline:
                raise WaitTimeout(
                    f"the old cluster {self.name} has not gone for {options.resource_timeout:g} s"
                )
            await asyncio.sleep(waiting.interval(0))
        self.claim.uid = str(section(body, "metadata").get("uid", ""))
        if not self.created:
            manifests.check_alike(keywords, options.time_to_live, body)
        elif options.time_to_live is not None:
            self._heart = Heart(self._mark, options.time_to_live)
        return body

    async def until_ready(
        self, report: Callable[[waiting.Verdict], None], patience: float, workers: int | None = None
    ) -> Manifest:
        """Wait until clients can connect, or with ``workers`` until so many workers are connected.

        See :func:`dask_operator_client.waiting.until_ready`.
        """
        goal = waiting.Goal(workers)
        return await waiting.until_ready(self._observe, report, patience, goal, explain=self._explain)

    async def connect(self, body: Manifest, options: Options) -> Endpoints:
        """Make the scheduler reachable; see :mod:`dask_operator_client.connecting`."""
        self._forward = PortForward(self._dial)
        return await connecting.endpoints(self._kube, self._forward, body, options)

    async def forward(self, ports: Mapping[int, int]) -> dict[int, int]:
        """Carry local ports, 0 for free ones, to ports of the scheduler Pod until the end; gives the local ones."""
        self._forward = PortForward(self._dial)
        for port in ports:
            await self._forward.check(port)
        return await self._forward.open(ports)

    async def scale(self, group: str, replicas: int) -> str:
        """Set the number of workers of a group of this cluster, given by its full name.

        The default group's autoscaler that :meth:`adapt` makes would undo it, and is deleted first. Others stay, as
        somebody wrote them: gives what to say about one that will undo it, empty if there is none.
        """
        await self._own_group(group)
        if group == self._default:
            await self.stop_adapting()
        await self._kube.scale(Kind.WORKER_GROUP, self.namespace, group, replicas)
        return rivals.after_scaling(group, await self._autoscalers_of(group))

    async def add_group(self, group: str, keywords: Keywords) -> None:
        """Create a worker group, which is like the cluster's workers but for the keywords."""
        like = section(await self._kube.get(Kind.CLUSTER, self.namespace, self.name), "spec", "worker")
        body = manifests.group_manifest(self.name, group, self.namespace, keywords, like)
        await self._kube.create(Kind.WORKER_GROUP, body)

    async def delete_group(self, group: str, patience: float | None) -> None:
        """Delete a worker group of this cluster; with ``patience`` after its workers have handed over their results.

        Raises:
            WaitTimeout: for ``patience`` seconds no worker went; the group is there still, scaled to 0.
        """
        body = await self._own_group(group)
        if patience is not None:
            await self._kube.scale(Kind.WORKER_GROUP, self.namespace, group, 0)
            await waiting.until_drained(
                lambda: self._kube.get(Kind.WORKER_GROUP, self.namespace, group), patience
            )
        await self._kube.delete(Kind.WORKER_GROUP, self.namespace, group, str(body["metadata"]["uid"]))

    async def adapt(self, minimum: int, maximum: int) -> str:
        """Create the cluster's DaskAutoscaler, or give it new bounds: where they stand in the cluster's spec, there.

        Gives what to say about an older one of the default group, which goes before it; empty if there is none.
        """
        if await self._adapts_by_spec():
            bounds = {"minimum": minimum, "maximum": maximum}
            await self._kube.patch(Kind.CLUSTER, self.namespace, self.name, {"spec": {"autoscaler": bounds}})
        else:
            body = manifests.autoscaler_manifest(self.name, self.namespace, minimum, maximum)
            try:
                await self._kube.create(Kind.AUTOSCALER, body)
            except ClusterExists:
                await self._kube.patch(Kind.AUTOSCALER, self.namespace, self.name, {"spec": body["spec"]})
        return rivals.after_adapting(self.name, self._default, await self._autoscalers_of(self._default))

    async def stop_adapting(self) -> None:
        """Delete the cluster's DaskAutoscaler, if there is one, also from its spec, which would bring it back."""
        if await self._adapts_by_spec():
            await self._kube.patch(Kind.CLUSTER, self.namespace, self.name, {"spec": {"autoscaler": None}})
        # who may not touch autoscalers, or has none installed, has not made one here
        with contextlib.suppress(RequestRefused, OperatorMissing):
            await self._kube.delete(Kind.AUTOSCALER, self.namespace, self.name)

    async def _autoscalers_of(self, group: str) -> list[Manifest]:
        """The DaskAutoscalers of a worker group; none where they may not be seen."""
        with contextlib.suppress(RequestRefused, OperatorMissing):
            found = await self._kube.all_of(Kind.AUTOSCALER, self.namespace)
            return rivals.of_group(found, self.name, group)
        return []

    @property
    def _default(self) -> str:
        return names.default_group_name(self.name)

    async def _adapts_by_spec(self) -> bool:
        """Whether the cluster's own spec has an autoscaler."""
        with contextlib.suppress(ClusterNotFound):
            return bool(section(await self.seen(), "spec", "autoscaler"))
        return False

    def last_break(self) -> str:
        """Why a carried connection broke, in the words of Kubernetes, unless that was told before; else empty."""
        if self._forward is None or self._forward.last_error is None:
            return ""
        error, self._forward.last_error = self._forward.last_error, None
        return str(error)

    async def seen(self) -> Manifest:
        """The DaskCluster as it is now."""
        return await self._kube.get(Kind.CLUSTER, self.namespace, self.name)

    async def default_group(self) -> Manifest:
        """The DaskWorkerGroup that every cluster has."""
        return await self._kube.get(Kind.WORKER_GROUP, self.namespace, self._default)

    async def pod_logs(self) -> dict[str, str]:
        """The log of the Dask container of every Pod, by the Pod's name; where there is none, why not."""
        pods = await self._kube.pods(self.namespace, f"{labels.CLUSTER_NAME}={self.name}")
        return {pod["metadata"]["name"]: await self._log_of(pod) for pod in pods}

    async def end(self, delete: bool) -> bool:
        """Close the port-forward and all connections; with ``delete``, delete the DaskCluster.

        It is deleted only if it is still the same one. One that stays is not missed any more: its time to live ends.
        Gives False where a request to create it has got no answer, so that it may yet come to be.

        Raises:
            ClusterError: it could not be deleted.
        """
        try:
            if self._heart is not None:
                self._heart.stop()
                if not delete:
                    await self._let_live()
            if self._forward is not None:
                await self._forward.close()
            if delete:
                await self._delete()
        finally:
            await self._kube.close()
        return bool(self.uid) or not self._unanswered

    async def _delete(self) -> None:
        if not self.uid and self._post is not None:
            await self._take_last_answer(self._post)
        try:
            await self._insist(self._delete_ours)
        except ClusterError as error:
            error.add_note(
                f"The DaskCluster {self.name} may still be there. To delete it: {self._kubectl('delete')}"
            )
            raise

    async def _delete_ours(self) -> None:
        if not self.uid:
            await self._find_unanswered()
        if self.uid:
            await self._kube.delete(Kind.CLUSTER, self.namespace, self.name, self.uid)

    async def _let_live(self) -> None:
        """Take its time to live off the cluster, which is to stay; warn if that fails."""
        try:
            await self._insist(lambda: self._mark(NO_SIGNS))
        except ClusterNotFound:
            return
        except ClusterError as error:
            command = " ".join([self._kubectl("annotate"), *(f"{sign}-" for sign in NO_SIGNS)])
            told = f"the DaskCluster {self.name} still has its time to live, and is deleted when that is over"
            log.warning("%s: %s. To keep it: %s", told, error, command)

    async def _insist(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do what cannot be done later, again and again for a while if the API server cannot be reached."""
        deadline = time.monotonic() + LAST_CALL_SECONDS
        while True:
            try:
                return await act()
            except KubernetesUnavailable:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    def _kubectl(self, verb: str) -> str:
        context = self._kube.source.context
        where = f" --context {context}" if context else ""
        return f"kubectl {verb} daskcluster {self.name} --namespace {self.namespace}{where}"

    async def _create_or_get(self, keywords: Keywords, options: Options, deadline: float) -> Manifest | None:
        """The cluster, created or found; None where it vanished between the two, or an answer was lost."""
        if options.create_mode is not CreateMode.CONNECT_ONLY:
            try:
                return await self._create(keywords, options)
            except ClusterExists:
                body = await self._get_if_there()
                if body is not None and claimed_uid(self.claim, body):
                    return body  # the answer to an earlier request was lost
                self.created = False
                if options.create_mode is CreateMode.CREATE_ONLY:
                    raise
                return body
            except RequestRefused:
                body = await self._get_if_there() if self._unanswered else None
                if body is not None and claimed_uid(self.claim, body):
                    return body  # what was refused, for a quota it may be, was a second one
                raise
            except AnswerLost:
                if time.monotonic() >= deadline:
                    raise
                return None
        body = await self._get_if_there()
        if body is None:
            raise ClusterNotFound(f"there is no DaskCluster {self.name} in the namespace {self.namespace}")
        return body

    async def _create(self, keywords: Keywords, options: Options) -> Manifest:
        """Create the cluster. Whoever gives up meanwhile still learns whether it was created."""
        wanted = manifests.cluster_manifest(self.name, self.namespace, keywords)
        signs = {labels.CREATION: self.claim.creation}
        if options.time_to_live is not None:
            signs |= first_signs(options.time_to_live)
        wanted["metadata"]["annotations"] = {**section(wanted, "metadata", "annotations"), **signs}
        self.created = True
        self._post = post = asyncio.ensure_future(self._kube.create(Kind.CLUSTER, wanted))
        try:
            return await asyncio.shield(post)
        except asyncio.CancelledError:
            await asyncio.wait({post}, timeout=LAST_POST_SECONDS)
            post.cancel()
            raise
        except AnswerLost:
            self._unanswered = True
            raise
        except RequestRefused:
            self.created = self._unanswered
            raise

    async def _take_last_answer(self, post: asyncio.Task[Manifest]) -> None:
        """Learn what became of a request to create the cluster: whoever gave up may have left it under way."""
        await asyncio.wait({post}, timeout=LAST_POST_SECONDS)
        if not post.done() or post.cancelled() or isinstance(post.exception(), AnswerLost):
            self._unanswered = True
        elif post.exception() is None:
            self.claim.uid = str(section(post.result(), "metadata").get("uid", ""))

    async def _get_if_there(self) -> Manifest | None:
        try:
            return await self._kube.get(Kind.CLUSTER, self.namespace, self.name)
        except ClusterNotFound:
            return None

    async def _find_unanswered(self) -> None:
        body = await self._get_if_there()
        if body is not None:
            self.claim.uid = claimed_uid(self.claim, body)

    async def _mark(self, annotations: Mapping[str, str | None]) -> None:
        body = {"metadata": {"uid": self.uid, "annotations": dict(annotations)}}
        await self._kube.patch(Kind.CLUSTER, self.namespace, self.name, body)

    async def _observe(self) -> Manifest | None:
        body = await self._get_if_there()
        same = section(body, "metadata").get("uid") == self.uid
        return body if body and same and not body["metadata"].get("deletionTimestamp") else None

    async def _explain(self, goal: waiting.Goal, body: Manifest) -> str:
        """The last lines of the log of what failed; empty where there are none."""
        if goal.workers is None:
            return str(section(body, "status", "scheduler", "lastEnd").get("log") or "")
        try:
            group = await self.default_group()
        except ClusterError:  # the first error is the one to tell
            return ""
        failures = section(group, "status").get("lastFailures") or [{}]
        return str(failures[-1].get("log") or "")

    async def _log_of(self, pod: Manifest) -> str:
        metadata = section(pod, "metadata")
        containers = section(pod, "spec").get("containers") or [{}]
        container = section(metadata, "annotations").get(labels.CONTAINER) or containers[0].get("name")
        try:
            return await self._kube.log(self.namespace, str(metadata["name"]), str(container))
        except ClusterError as error:
            return f"no log: {error}"

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
