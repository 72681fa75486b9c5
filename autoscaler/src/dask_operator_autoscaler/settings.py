"""The autoscaler's settings: one frozen value, read from the environment at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "DASK_OPERATOR_AUTOSCALER_"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("console", "json")


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used."""


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
        env = os.environ if environment is None else environment
        return cls(
            http_port=_port(env, "HTTP_PORT", cls.http_port),
            log_level=_choice(env, "LOG_LEVEL", cls.log_level, LEVELS),
            log_format=_choice(env, "LOG_FORMAT", cls.log_format, FORMATS),
            watch_namespaces=_names(env, "WATCH_NAMESPACES"),
            identity=env.get("POD_NAME") or cls.identity,
            pod_uid=env.get("POD_UID") or cls.pod_uid,
            namespace=env.get("POD_NAMESPACE") or cls.namespace,
            lease=env.get(f"{PREFIX}LEASE") or cls.lease,
        )


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(PREFIX + name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"{PREFIX}{name}={text!r} is not the number of a port")
    return int(text)


def _names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The names in a list separated by commas, each once, in the order of the alphabet."""
    return tuple(sorted({part.strip() for part in env.get(PREFIX + name, "").split(",") if part.strip()}))


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(PREFIX + name) or default
    if value not in choices:
        raise SettingsError(f"{PREFIX}{name}={value!r} is not one of {', '.join(choices)}")
    return value
