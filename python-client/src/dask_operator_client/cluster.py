"""KubeCluster: a Dask cluster on Kubernetes as a Python object."""

import asyncio
import contextlib
import datetime
import importlib
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dask_operator_api import names
from distributed.core import Status, rpc
from distributed.deploy.cluster import Cluster
from distributed.utils import format_dashboard_link

from dask_operator_client import manifests, validation
from dask_operator_client.background import LoopThread
from dask_operator_client.errors import ClusterError
from dask_operator_client.manifests import WorkerKeywords
from dask_operator_client.modes import CreateMode
from dask_operator_client.progress import ProgressLine

if TYPE_CHECKING:
    from dask_operator_client.session import Endpoints, Session

DEFAULT_GROUP = "default"
T = TypeVar("T")


class KubeCluster(Cluster):  # type: ignore[misc]  # distributed has no types
    """A Dask cluster on Kubernetes, run by the Dask operator.

    Creates a DaskCluster resource, waits until its scheduler is ready, and connects to it, from outside
    Kubernetes through a port-forward. If there is a cluster of that name it is used, provided that it is like
    the keywords. Bad keywords raise ``TypeError`` or ``ValueError`` before anything is sent.

    Args:
        name: Name of the DaskCluster: at most 53 of a-z, 0-9 and '-', starting with a letter. By default
            ``dask-<user>-<random>``.
        n_workers: Number of workers. Default: the operator's.
        image: Image of scheduler and workers. Default: the operator's.
        resources: Kubernetes resources of each worker, such as
            ``{"requests": {"memory": "16Gi"}, "limits": {"memory": "16Gi"}}``.
        env: Environment of scheduler and workers: a dict, or a list of EnvVar dicts.
        namespace: Namespace of the cluster. Default: that of the Pod this runs in, or of the kubeconfig's
            context, or ``default``.
        worker_command: Command of the workers, a string or a list of words. Default: the operator's. The worker's
            name is added to it as ``--name``, unless it has one.
        create_mode: What to do about an existing cluster, see :class:`CreateMode`.
        shutdown_on_close: Whether :meth:`close`, and the end of the process, deletes the DaskCluster. Default:
            if it was created here.
        resource_timeout: Seconds that may pass without any progress while waiting.
        quiet: Do not show what is being waited for.
        asynchronous: Whether this is used with ``await``.
        loop: The tornado loop to use. Default: distributed's own.

    Raises:
        ClusterError: the cluster could not be had; see :mod:`dask_operator_client.errors`.

    Example:
        >>> from distributed import Client
        >>> with KubeCluster(name="my-cluster", n_workers=3, env={"FOO": "bar"}) as cluster:  # doctest: +SKIP
        ...     client = Client(cluster)
        ...     cluster.scale(5)
    """

    status: Status

    def __init__(
        self,
        name: str | None = None,
        n_workers: int | None = None,
        image: str | None = None,
        resources: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        namespace: str | None = None,
        worker_command: str | Sequence[str] | None = None,
        create_mode: CreateMode | str = CreateMode.CREATE_OR_CONNECT,
        shutdown_on_close: bool | None = None,
        resource_timeout: float = 60.0,
        quiet: bool = False,
        asynchronous: bool = False,
        loop: Any = None,
    ) -> None:
        name = manifests.generated_name() if name is None else validation.checked_name("name", name)
        self._keywords = WorkerKeywords.checked(n_workers, image, resources, env, worker_command)
        self._namespace = None if namespace is None else validation.checked_text("namespace", namespace)
        self._mode = CreateMode(create_mode)
        self._patience = validation.checked_seconds("resource_timeout", resource_timeout)
        self._shutdown_on_close = shutdown_on_close
        self._session: Session | None = None
        self._endpoints: Endpoints | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._background = LoopThread(f"KubeCluster {name}")
        self._turn = asyncio.Lock()
        super().__init__(asynchronous=asynchronous, loop=loop, quiet=quiet, name=name)
        if not self.called_from_running_loop:
            self._loop_runner.start()
            try:
                self.sync(self._start)
            except BaseException:  # a KeyboardInterrupt may leave no time to tidy up in _start
                self._background.stop()
                self._loop_runner.stop()
                raise

    @classmethod
    def from_name(cls, name: str, namespace: str | None = None, **keywords: Any) -> Self:
        """Connect to an existing DaskCluster, however it was made. Closing it leaves it running.

        ``keywords`` are those of :class:`KubeCluster` about the connection: ``resource_timeout``, ``quiet``,
        ``shutdown_on_close``, ``asynchronous``, ``loop``.

        Raises:
            ClusterNotFound: there is no such cluster.

        Example:
            >>> cluster = KubeCluster.from_name("my-cluster")  # doctest: +SKIP
        """
        return cls(name=name, namespace=namespace, create_mode=CreateMode.CONNECT_ONLY, **keywords)

    @property
    def namespace(self) -> str | None:
        """The namespace of the cluster; None before it is known."""
        return self._session.namespace if self._session else self._namespace

    @property
    def dashboard_link(self) -> str:
        """The URL of the dashboard as this computer reaches it; empty before the cluster is connected."""
        if self._endpoints is None:
            return ""
        link: str = format_dashboard_link(self._endpoints.dashboard_host, self._endpoints.dashboard_port)
        return link

    def scale(self, n: int, worker_group: str = DEFAULT_GROUP) -> Any:
        """Ask for ``n`` workers in a worker group. Returns at once; workers come and go as they can.

        Workers that go hand over their results first. The default group's autoscaler, if any, is removed.

        Raises:
            ClusterNotFound: the cluster has no such group.

        Example:
            >>> cluster.scale(5)  # doctest: +SKIP
            >>> cluster.scale(2, worker_group="highmem")  # doctest: +SKIP
        """
        replicas = validation.checked_count("n", n)
        group = validation.checked_group_name("worker_group", self.name, worker_group)
        return self.sync(self._scale, group, replicas)

    def adapt(self, minimum: int = 0, maximum: int | None = None) -> Any:  # narrower than distributed's
        """Let the autoscaler choose the number of workers of the default group, within bounds.

        Example:
            >>> cluster.adapt(minimum=1, maximum=100)  # doctest: +SKIP
        """
        least = validation.checked_count("minimum", minimum)
        most = validation.checked_count("maximum", maximum)
        if most < least:
            raise ValueError(f"maximum ({most}) must not be less than minimum ({least})")
        return self.sync(self._on_session, lambda session: session.adapt(least, most))

    def add_worker_group(
        self,
        name: str,
        n_workers: int | None = None,
        image: str | None = None,
        resources: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        worker_command: str | Sequence[str] | None = None,
    ) -> Any:
        """Add a group of workers that differ from the others. It goes when the cluster goes.

        The keywords are as for :class:`KubeCluster`; ``image`` is the cluster's by default.

        Raises:
            ClusterExists: the cluster has a group of that name.

        Example:
            >>> memory = {"memory": "64Gi"}
            >>> cluster.add_worker_group(
            ...     name="highmem", n_workers=2, resources={"requests": memory, "limits": memory}
            ... )  # doctest: +SKIP
        """
        group = validation.checked_group_name("name", self.name, name)
        keywords = WorkerKeywords.checked(n_workers, image, resources, env, worker_command)
        return self.sync(self._on_session, lambda session: session.add_group(group, keywords))

    def delete_worker_group(self, name: str) -> Any:
        """Delete a worker group that was added.

        Raises:
            ClusterNotFound: the cluster has no such group.

        Example:
            >>> cluster.delete_worker_group("highmem")  # doctest: +SKIP
        """
        group = validation.checked_group_name("name", self.name, name)
        if group == names.default_group_name(self.name):
            raise ValueError("name: the default group belongs to the cluster: scale it to 0 instead")
        return self.sync(self._on_session, lambda session: session.delete_group(group))

    def close(self, timeout: float | None = None) -> Any:
        """Disconnect, and delete the DaskCluster if it was created here or ``shutdown_on_close`` says so.

        Does not wait until its Pods are gone. ``timeout`` is in seconds. Closing again does nothing.

        Example:
            >>> cluster.close()  # doctest: +SKIP
        """
        closing = super().close(timeout)
        if not self.asynchronous:
            self._loop_runner.stop()
        return closing

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._started().__await__()

    async def _started(self) -> Self:
        async with self._turn:
            if self.status is Status.created:
                await self._start()
        return self

    async def _start(self) -> None:
        line = ProgressLine(f"Dask cluster {self.name}", quiet=self.quiet)
        try:
            await self._reach(line)
            await super()._start()
        except BaseException as error:
            line.finish("failed" if isinstance(error, ClusterError) else "stopped")
            with contextlib.suppress(ClusterError):  # the first error is the one to tell
                await self._give_up()
            raise
        line.finish("ready")

    async def _reach(self, line: ProgressLine) -> None:
        """Create or find the cluster, wait until it is ready, and open the way to its scheduler."""

        def report(text: str) -> None:
            if line.show(text):
                self._cluster_manager_logs.append((datetime.datetime.now(), text))

        report("connecting to Kubernetes")
        self._background.start()
        session = self._session = await self._background.run(_open_session(self.name, self._namespace))
        await self._background.run(session.find_or_create(self._keywords, self._mode, self._patience))
        if self._deletes:
            self._finalizer = weakref.finalize(
                self, _kube_module().delete_at_exit, session.namespace, session.name, session.uid
            )
        body = await self._background.run(session.until_ready(report, self._patience))
        self._endpoints = await self._background.run(session.connect(body))
        self.scheduler_comm = rpc(self._endpoints.scheduler)

    @property
    def _deletes(self) -> bool:
        """Whether the DaskCluster goes with this object."""
        if self._shutdown_on_close is not None:
            return self._shutdown_on_close
        return self._session is not None and self._session.created

    async def _scale(self, group: str, replicas: int) -> None:
        if group == names.default_group_name(self.name):
            await self._on_session(lambda session: session.stop_adapting())
        await self._on_session(lambda session: session.scale(group, replicas))

    async def _on_session(self, act: "Callable[[Session], Coroutine[Any, Any, T]]") -> T:
        if self._session is None or self.status is not Status.running:
            raise ClusterError(f"the cluster {self.name} is not connected: its status is {self.status.name}")
        return await self._background.run(act(self._session))

    async def _close(self) -> None:
        async with self._turn:
            if self.status is Status.closed:
                return
            try:
                await super()._close()
            finally:
                self.status = Status.closed
                await self._release(delete=self._deletes)

    async def _give_up(self) -> None:
        """Undo a start that failed: what was created goes again, what was found stays."""
        created = self._session is not None and self._session.created
        try:
            if self.scheduler_comm is not None:
                await self.scheduler_comm.close_rpc()
        finally:
            self.status = Status.closed
            await self._release(delete=created and self._deletes)

    async def _release(self, delete: bool) -> None:
        session, self._session = self._session, None
        try:
            if session is not None:
                await self._background.run(session.end(delete))
            if self._finalizer is not None:
                self._finalizer.detach()
        finally:
            self._background.stop()


async def _open_session(name: str, namespace: str | None) -> "Session":
    """A session; the modules behind it are loaded here, off the user's event loop, as they take a while."""
    session_module = importlib.import_module("dask_operator_client.session")
    opened: Awaitable[Session] = session_module.Session.open(name, namespace)
    return await opened


def _kube_module() -> ModuleType:
    return importlib.import_module("dask_operator_client.kube")
