"""The autoscaler's settings: one frozen value, read from the environment at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dask_operator_api.environment import FORMATS, LEVELS, Environment

PREFIX = "DASK_OPERATOR_AUTOSCALER_"


@dataclass(frozen=True)
class Settings:
    """What an install can choose."""

    http_port: int = 8081
    """Port of /healthz, /readyz and /metrics. Not the operator's, beside which it may run in one Pod."""

    log_level: str = "info"
    """One of debug, info, warning, error."""

    log_format: str = "console"
    """``console`` or ``json``."""

    watch_namespaces: tuple[str, ...] = ()
    """The namespaces to look after; empty for all."""

    identity: str = "dask-operator-autoscaler"
    """Who reports Events: the autoscaler's Pod."""

    pod_uid: str = ""
    """The uid of that Pod; empty outside a Pod."""

    namespace: str = "dask-operator"
    """The release's namespace."""

    lease: str = "dask-operator-autoscaler"
    """The Lease in it that the autoscaler which decides holds."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read ``DASK_OPERATOR_AUTOSCALER_*``.

        Raises:
            SettingsError: a value is not one of those allowed; the message names the variable.
        """
        pod = os.environ if environment is None else environment
        env = Environment(pod, PREFIX)
        return cls(
            http_port=env.port("HTTP_PORT", cls.http_port),
            log_level=env.choice("LOG_LEVEL", cls.log_level, LEVELS),
            log_format=env.choice("LOG_FORMAT", cls.log_format, FORMATS),
            watch_namespaces=env.names("WATCH_NAMESPACES"),
            identity=pod.get("POD_NAME") or cls.identity,
            pod_uid=pod.get("POD_UID") or cls.pod_uid,
            namespace=pod.get("POD_NAMESPACE") or cls.namespace,
            lease=env.text("LEASE", cls.lease),
        )
