"""KubeCluster: a Dask cluster on Kubernetes as a Python object."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

from dask_operator_api import names
from distributed.core import Status
from distributed.utils import format_dashboard_link

from dask_operator_client import naming, validation
from dask_operator_client.errors import ClusterError
from dask_operator_client.keywords import Keywords, judged
from dask_operator_client.lifecycle import Lifecycle
from dask_operator_client.modes import CreateMode

DEFAULT_GROUP = "default"
Env = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class KubeCluster(Lifecycle):
    """A Dask cluster on Kubernetes, run by the Dask operator.

    Creates a DaskCluster resource, waits until its scheduler is ready, and connects to it, from outside
    Kubernetes through a port-forward. If there is a cluster of that name it is used, provided that it is like
    the keywords. Bad keywords raise ``TypeError`` or ``ValueError`` before anything is sent.

    A keyword that is not given is taken from Dask's configuration (``kubernetes.image`` and so on, see
    ``kubernetes.yaml`` in this package), and is else left to the operator.

    Args:
        name: Name of the DaskCluster: at most 53 of a-z, 0-9 and '-', starting with a letter. ``{user}``, ``{uuid}``
            and environment variables in braces are filled in. By default ``dask-{user}-{uuid}``.
        n_workers: Number of workers.
        image: Image of scheduler and workers.
        resources: Kubernetes resources of each worker, such as
            ``{"requests": {"memory": "16Gi"}, "limits": {"memory": "16Gi"}}``.
        env: Environment of scheduler and workers: a dict, or a list of EnvVar dicts.
        namespace: Namespace of the cluster. Default: that of the Pod this runs in, or of the kubeconfig's
            context, or ``default``.
        worker_command: Command of the workers, a string or a list of words. The worker's name is added to it as
            ``--name``, unless it has one.
        create_mode: What to do about an existing cluster, see :class:`CreateMode`.
        shutdown_on_close: Whether :meth:`close`, and the end of the process, deletes the DaskCluster. Default:
            if it was created here.
        resource_timeout: Seconds that may pass without any progress while waiting. Default: 60.
        quiet: Do not show what is being waited for.
        asynchronous: Whether this is used with ``await``.
        loop: The tornado loop to use. Default: distributed's own.
        custom_cluster_spec: A DaskCluster as a dict, or the path of a YAML file with one. All other keywords are
            laid over it.
        idle_timeout: Seconds without work after which the operator deletes the cluster; 0 is never.
        time_to_live: Seconds after which the operator deletes the cluster if this process has given no sign of life,
            for whatever reason. At least 30. A cluster that outlives :meth:`close` has none any more. Default: never.
        wait_for_workers: Whether to wait until all workers are connected, or how many of them.
        worker_pod: A part of a Pod, or of a PodSpec, that is laid over each worker's, such as
            ``{"nodeSelector": {"gpu": "yes"}, "tolerations": [...]}``. A container without a name is Dask's.
        scheduler_pod: The same for the scheduler.
        scheduler_resources: Kubernetes resources of the scheduler.
        priority_class: Priority class of all Pods.
        scheduler_service_type: ``ClusterIP``, ``NodePort`` or ``LoadBalancer``.
        scheduler_forward_port: Local port of the port-forward to the dashboard. Default: a free one.
        scheduler_address: Where this computer reaches the scheduler, for example through an ingress:
            ``tcp://dask.example.com:8786``. Default: it is found out.
        dashboard_address: Where this computer reaches the dashboard: ``https://dask.example.com``.
        jupyter: Whether the scheduler serves Jupyter beside its dashboard. Its image has to have jupyterlab.

    Raises:
        ClusterError: the cluster could not be had; see :mod:`dask_operator_client.errors`.

    Example:
        >>> from distributed import Client
        >>> with KubeCluster(name="my-cluster", n_workers=2, env={"FOO": "bar"}, quiet=True) as cluster:
        ...     with Client(cluster) as client:
        ...         client.submit(sum, [1, 2, 3]).result()
        6
    """

    def __init__(
        self,
        name: str | None = None,
        n_workers: int | None = None,
        image: str | None = None,
        resources: Mapping[str, Any] | None = None,
        env: Env | None = None,
        namespace: str | None = None,
        worker_command: str | Sequence[str] | None = None,
        create_mode: CreateMode | str | None = None,
        shutdown_on_close: bool | None = None,
        resource_timeout: float | None = None,
        quiet: bool = False,
        asynchronous: bool = False,
        loop: Any = None,
        *,
        custom_cluster_spec: Mapping[str, Any] | str | PathLike[str] | None = None,
        idle_timeout: int | None = None,
        time_to_live: float | None = None,
        wait_for_workers: bool | int | None = None,
        worker_pod: Mapping[str, Any] | None = None,
        scheduler_pod: Mapping[str, Any] | None = None,
        scheduler_resources: Mapping[str, Any] | None = None,
        priority_class: str | None = None,
        scheduler_service_type: str | None = None,
        scheduler_forward_port: int | None = None,
        scheduler_address: str | None = None,
        dashboard_address: str | None = None,
        jupyter: bool | None = None,
        **unknown: Any,
    ) -> None:
        own = ("self", "own", "unknown", "quiet", "asynchronous", "loop", "__class__")
        given = {keyword: value for keyword, value in locals().items() if keyword not in own}
        keywords, options = judged(given, unknown)
        validation.checked_flag("quiet", quiet)
        validation.checked_flag("asynchronous", asynchronous)
        super().__init__(
            options.name or naming.generated_name(), keywords, options, quiet, asynchronous, loop
        )

    @classmethod
    def from_name(cls, name: str, namespace: str | None = None, **keywords: Any) -> Self:
        """Connect to an existing DaskCluster, however it was made. Closing it leaves it running.

        ``keywords`` are those of :class:`KubeCluster`. One about the cluster itself, such as ``n_workers``, must be
        as the cluster has it.

        Raises:
            ClusterNotFound: there is no such cluster.
            ClusterDiffers: it is not like the keywords.

        Example:
            >>> with KubeCluster.from_name("my-cluster", quiet=True) as cluster:
            ...     cluster.scale(1)
        """
        return cls(name=name, namespace=namespace, create_mode=CreateMode.CONNECT_ONLY, **keywords)

    @property
    def namespace(self) -> str | None:
        """The namespace of the cluster; None before it is known.

        Example:
            >>> cluster.namespace is None
            False
        """
        return self._session.namespace if self._session else self._options.namespace

    @property
    def dashboard_link(self) -> str:
        """The URL of the dashboard as this computer reaches it; empty before the cluster is connected.

        Example:
            >>> cluster.dashboard_link
            'http://127.0.0.1:.../status'
        """
        found = self._endpoints
        if found is None:
            return ""
        if found.dashboard:
            return found.dashboard.rstrip("/") + "/status"
        link: str = format_dashboard_link(found.dashboard_host, found.dashboard_port)
        return link

    @property
    def jupyter_link(self) -> str:
        """The URL of the Jupyter that the scheduler serves.

        Raises:
            ClusterError: the cluster was not made with ``jupyter=True``.

        Example:
            >>> cluster.jupyter_link
            Traceback (most recent call last):
            dask_operator_client.errors.ClusterError: the scheduler of my-cluster serves no Jupyter...
        """
        if not self._serves_jupyter:
            raise ClusterError(
                f"the scheduler of {self.name} serves no Jupyter: create the cluster with jupyter=True"
            )
        return self.dashboard_link.removesuffix("/status") + "/jupyter/lab"

    def scale(self, n: int, worker_group: str = DEFAULT_GROUP) -> Any:
        """Ask for ``n`` workers in a worker group. Returns at once; workers come and go as they can.

        Workers that go hand over their results first. The autoscaler that :meth:`adapt` made, or that the cluster's
        spec has, is removed. One that somebody else wrote stays: a warning names it if it will change the number again.

        Raises:
            ClusterNotFound: the cluster has no such group.

        Example:
            >>> cluster.scale(2)
        """
        replicas = validation.checked_count("n", n)
        group = validation.checked_group_name("worker_group", self.name, worker_group)
        return self.sync(self._scale, group, replicas)

    def adapt(self, minimum: int = 0, maximum: int | None = None) -> Any:  # narrower than distributed's
        """Let the autoscaler choose the number of workers of the default group, within bounds.

        Example:
            >>> cluster.adapt(minimum=1, maximum=10)
        """
        least = validation.checked_count("minimum", minimum)
        most = validation.checked_count("maximum", maximum)
        if most < least:
            raise ValueError(f"maximum ({most}) must not be less than minimum ({least})")
        return self.sync(self._adapt, least, most)

    def add_worker_group(
        self,
        name: str,
        n_workers: int | None = None,
        image: str | None = None,
        resources: Mapping[str, Any] | None = None,
        env: Env | None = None,
        worker_command: str | Sequence[str] | None = None,
        *,
        worker_pod: Mapping[str, Any] | None = None,
        priority_class: str | None = None,
        custom_spec: Mapping[str, Any] | None = None,
    ) -> Any:
        """Add a group of workers that differ from the others. It goes when the cluster goes.

        The group is like the cluster's other workers but for the keywords, which are as for :class:`KubeCluster`; with
        ``custom_spec``, the ``worker`` of a DaskWorkerGroup, it is like that.

        Raises:
            ClusterExists: the cluster has a group of that name.

        Example:
            >>> cluster.add_worker_group(name="large", n_workers=0, resources={"requests": {"memory": "64Gi"}})
        """
        group = validation.checked_group_name("name", self.name, name)
        said = Keywords.checked(
            n_workers=n_workers,
            image=image,
            resources=resources,
            env=env,
            worker_command=worker_command,
            worker_pod=worker_pod,
            priority_class=priority_class,
        ).said
        custom = None if custom_spec is None else validation.checked_mapping("custom_spec", custom_spec)
        keywords = Keywords(said, custom)
        return self.sync(self._on_session, lambda session: session.add_group(group, keywords))

    def delete_worker_group(self, name: str, drain: bool = True) -> Any:
        """Delete a worker group that was added, when its workers have handed over their results.

        With ``drain=False`` it is deleted at once, and what only its workers hold is lost.

        Raises:
            ClusterNotFound: the cluster has no such group.
            WaitTimeout: for ``resource_timeout`` seconds no worker could go. The group stays, scaled to 0.

        Example:
            >>> cluster.delete_worker_group("large")
        """
        group = validation.checked_group_name("name", self.name, name)
        if group == names.default_group_name(self.name):
            raise ValueError("name: the default group belongs to the cluster: scale it to 0 instead")
        patience = self._options.resource_timeout if validation.checked_flag("drain", drain) else None
        return self.sync(self._on_session, lambda session: session.delete_group(group, patience))

    def wait_for_workers(self, n_workers: int, timeout: float | None = None) -> Any:
        """Wait until ``n_workers`` workers of any group are connected, and show what is missing.

        ``timeout`` is how many seconds may pass without any progress, ``resource_timeout`` by default.

        Raises:
            ClusterFailed: the workers cannot start as they are described.
            WaitTimeout: nothing changed for ``timeout`` seconds.

        Example:
            >>> cluster.wait_for_workers(1)
        """
        wanted = validation.checked_count("n_workers", n_workers)
        seconds = None if timeout is None else validation.checked_seconds("timeout", timeout)
        return self.sync(self._until_workers, wanted, seconds)

    def get_logs(self, cluster: bool = True, scheduler: bool = True, workers: Any = True) -> Any:
        """The logs of the scheduler and the workers by the name of their Pods, and what was waited for as ``Cluster``.

        Args:
            cluster: Whether to give what was waited for.
            scheduler: Whether to give the scheduler's.
            workers: Whether to give the workers', or the addresses of some.

        Example:
            >>> sorted(cluster.get_logs(workers=False))
            ['Cluster', 'my-cluster-scheduler']
        """
        return self.sync(self._get_logs, cluster=cluster, scheduler=scheduler, workers=workers)

    def close(self, timeout: float | None = None) -> Any:
        """Disconnect, and delete the DaskCluster if it was created here or ``shutdown_on_close`` says so.

        Does not wait until its Pods are gone. ``timeout`` is in seconds. Closing again does nothing.

        Raises:
            ClusterError: the DaskCluster could not be deleted. That is tried once more when the process ends.

        Example:
            >>> KubeCluster.from_name("my-cluster", quiet=True).close()
        """
        try:
            if self.status is Status.closed:
                return super().close(timeout)
            return self.sync(self._close, callback_timeout=timeout)
        except ClusterError:  # a RuntimeError, too, but one to tell
            raise
        except RuntimeError:  # the loop is closed while the process ends
            return None
        finally:
            if not self.asynchronous:
                self._loop_runner.stop()
