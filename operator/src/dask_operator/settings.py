"""The operator's settings: one frozen value, read from the environment at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dask_operator_api.environment import FORMATS, LEVELS, Environment

PREFIX = "DASK_OPERATOR_"


@dataclass(frozen=True)
class Settings:
    """What an install can choose. Each field is set by the chart value named in its comment."""

    default_image: str = "ghcr.io/dask/dask:2026.8.0-py3.11"
    """Image of schedulers and workers whose template names none (``dask.image``)."""

    default_pull_secrets: tuple[str, ...] = ()
    """Pull secrets of schedulers and workers whose template names none (``dask.image.pullSecrets``)."""

    http_port: int = 8080
    """Port of /healthz and /readyz."""

    log_level: str = "info"
    """One of debug, info, warning, error (``operator.logLevel``)."""

    log_format: str = "console"
    """``console`` or ``json`` (``operator.logFormat``)."""

    resync_seconds: float = 300.0
    """Seconds between two full listings (``operator.resyncSeconds``)."""

    concurrency: int = 16
    """Objects reconciled at one time (``operator.concurrency``)."""

    concurrency_per_cluster: int = 4
    """Of these, groups of one cluster at most (``operator.concurrencyPerCluster``)."""

    parallel_creates: int = 16
    """Worker Pods of one cluster created, changed or deleted at one time (``operator.parallelCreates``)."""

    connections: int = 64
    """Connections to the API server, watches and the Lease aside (``operator.connections``)."""

    scheduler_connections: int = 100
    """Connections to Dask schedulers, those of workers that are retired aside (``operator.schedulerConnections``)."""

    calls_per_second: float = 400.0
    """Calls to the API server a second, watches and the Lease aside; 0: no bound (``operator.callsPerSecond``)."""

    watch_namespaces: tuple[str, ...] = ()
    """The namespaces to look after; empty for all (``watchNamespaces``)."""

    autoscaling: bool = True
    """Whether the release has an autoscaler, whose the status of DaskAutoscalers is (``autoscaler.enabled``)."""

    disruption_budget: bool = False
    """Whether schedulers whose cluster does not say get a PodDisruptionBudget (``dask.scheduler.disruptionBudget``)."""

    plugins_must_load: bool = False
    """Whether a plugin that cannot be imported stops the operator (``operator.plugins.mustLoad``)."""

    plugins_unlabelled: tuple[str, ...] = ()
    """Kinds (``pods``, ``services``) that plugins see whole, not by our labels (``operator.plugins.unlabelled``)."""

    identity: str = "dask-operator"
    """Who reports Events: the operator's Pod."""

    pod_uid: str = ""
    """The uid of that Pod; empty outside a Pod."""

    namespace: str = "dask-operator"
    """The release's namespace."""

    release: str = "dask-operator"
    """The release's full name, which its Lease has too."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read ``DASK_OPERATOR_*``.

        Raises:
            SettingsError: a value is not one of those allowed; the message names the variable.
        """
        pod = os.environ if environment is None else environment
        env = Environment(pod, PREFIX)
        return cls(
            default_image=env.text("DEFAULT_IMAGE", cls.default_image),
            default_pull_secrets=env.names("DEFAULT_PULL_SECRETS"),
            http_port=env.port("HTTP_PORT", cls.http_port),
            log_level=env.choice("LOG_LEVEL", cls.log_level, LEVELS),
            log_format=env.choice("LOG_FORMAT", cls.log_format, FORMATS),
            resync_seconds=env.number("RESYNC_SECONDS", cls.resync_seconds, 10),
            concurrency=int(env.number("CONCURRENCY", cls.concurrency, 1)),
            concurrency_per_cluster=int(
                env.number("CONCURRENCY_PER_CLUSTER", cls.concurrency_per_cluster, 1)
            ),
            parallel_creates=int(env.number("PARALLEL_CREATES", cls.parallel_creates, 1)),
            connections=int(env.number("CONNECTIONS", cls.connections, 1)),
            scheduler_connections=int(env.number("SCHEDULER_CONNECTIONS", cls.scheduler_connections, 1)),
            calls_per_second=env.number("CALLS_PER_SECOND", cls.calls_per_second, 0),
            watch_namespaces=env.names("WATCH_NAMESPACES"),
            autoscaling=env.truth("AUTOSCALING", cls.autoscaling),
            disruption_budget=env.truth("DISRUPTION_BUDGET", cls.disruption_budget),
            plugins_must_load=env.truth("PLUGINS_MUST_LOAD", cls.plugins_must_load),
            plugins_unlabelled=env.names("PLUGINS_UNLABELLED"),
            identity=pod.get("POD_NAME") or cls.identity,
            pod_uid=pod.get("POD_UID") or cls.pod_uid,
            namespace=pod.get("POD_NAMESPACE") or cls.namespace,
            release=env.text("RELEASE", cls.release),
        )
