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
    """Port of /healthz and /readyz. Not the operator's, beside which it may run in one Pod."""

    log_level: str = "info"
    """One of debug, info, warning, error."""

    log_format: str = "console"
    """``console`` or ``json``."""

    identity: str = "dask-operator-autoscaler"
    """Who reports Events: the autoscaler's Pod."""

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
            identity=env.get("POD_NAME") or cls.identity,
        )


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(PREFIX + name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"{PREFIX}{name}={text!r} is not the number of a port")
    return int(text)


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(PREFIX + name) or default
    if value not in choices:
        raise SettingsError(f"{PREFIX}{name}={value!r} is not one of {', '.join(choices)}")
    return value
