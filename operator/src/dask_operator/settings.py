"""The operator's settings: one frozen value, read from the environment at start."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "DASK_OPERATOR_"


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used."""


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

    pod_creates: int = 16
    """Pods of one group created at one time (``operator.parallelCreates``)."""

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
        env = os.environ if environment is None else environment
        return cls(
            default_image=env.get(f"{PREFIX}DEFAULT_IMAGE") or cls.default_image,
            default_pull_secrets=_names(env, "DEFAULT_PULL_SECRETS"),
            http_port=int(_number(env, "HTTP_PORT", cls.http_port, 1)),
            log_level=_choice(env, "LOG_LEVEL", cls.log_level, ("debug", "info", "warning", "error")),
            log_format=_choice(env, "LOG_FORMAT", cls.log_format, ("console", "json")),
            resync_seconds=_number(env, "RESYNC_SECONDS", cls.resync_seconds, 10),
            concurrency=int(_number(env, "CONCURRENCY", cls.concurrency, 1)),
            pod_creates=int(_number(env, "POD_CREATES", cls.pod_creates, 1)),
            calls_per_second=_number(env, "CALLS_PER_SECOND", cls.calls_per_second, 0),
            watch_namespaces=_names(env, "WATCH_NAMESPACES"),
            autoscaling=_choice(env, "AUTOSCALING", "true", ("true", "false")) == "true",
            disruption_budget=_choice(env, "DISRUPTION_BUDGET", "false", ("true", "false")) == "true",
            plugins_must_load=_choice(env, "PLUGINS_MUST_LOAD", "false", ("true", "false")) == "true",
            plugins_unlabelled=_names(env, "PLUGINS_UNLABELLED"),
            identity=env.get("POD_NAME") or cls.identity,
            pod_uid=env.get("POD_UID") or cls.pod_uid,
            namespace=env.get("POD_NAMESPACE") or cls.namespace,
            release=env.get(f"{PREFIX}RELEASE") or cls.release,
        )


def _number(env: Mapping[str, str], name: str, default: float, least: float) -> float:
    text = env.get(PREFIX + name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{PREFIX}{name}={text!r} is not a number") from None
    if not math.isfinite(value):
        raise SettingsError(f"{PREFIX}{name}={text!r} is not a number that can be counted to")
    if value < least:
        raise SettingsError(f"{PREFIX}{name}={text!r} is less than {least:g}")
    return value


def _names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The names in a list separated by commas, each once, in the order of the alphabet."""
    return tuple(sorted({part.strip() for part in env.get(PREFIX + name, "").split(",") if part.strip()}))


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(PREFIX + name) or default
    if value not in choices:
        raise SettingsError(f"{PREFIX}{name}={value!r} is not one of {', '.join(choices)}")
    return value
