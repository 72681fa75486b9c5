"""The keywords of a cluster and of a worker group, judged before anything is sent.

Every refusal names the keyword, and its key where the value comes from Dask's configuration.
"""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_client import config, naming, validation
from dask_operator_client.modes import CreateMode

_Check = Callable[[str, Any], Any]


def _name(keyword: str, value: Any) -> str:
    return validation.checked_name(keyword, naming.filled_name(value) if isinstance(value, str) else value)


def _create_mode(keyword: str, value: Any) -> CreateMode:
    try:
        return CreateMode(value)
    except ValueError:
        modes = ", ".join(repr(mode.value) for mode in CreateMode)
        raise ValueError(f"{keyword} must be one of {modes}, not {value!r}") from None


def _workers_to_wait_for(keyword: str, value: Any) -> bool | int:
    return value if isinstance(value, bool) else validation.checked_count(keyword, value)


def _env(keyword: str, value: Any) -> list[Manifest]:
    return validation.checked_env(value)


def _command(keyword: str, value: Any) -> list[str]:
    return validation.checked_command(value)


def _time_to_live(keyword: str, value: Any) -> float:
    seconds = validation.checked_seconds(keyword, value)
    if seconds < SHORTEST_TIME_TO_LIVE:
        raise ValueError(f"{keyword} must be at least {SHORTEST_TIME_TO_LIVE:g} seconds, not {value}")
    return seconds


def _address(keyword: str, value: Any) -> str:
    address = validation.checked_text(keyword, value)
    if "://" not in address:
        raise ValueError(
            f"{keyword} must start with a protocol, as in 'tcp://dask.example.com:8786', not {value!r}"
        )
    return address


SHORTEST_TIME_TO_LIVE = 30.0
"""A shorter silence than this, in seconds, may just be a busy process or a slow network."""

SPEC_CHECKS: dict[str, _Check] = {
    "n_workers": validation.checked_count,
    "image": validation.checked_text,
    "resources": validation.checked_resources,
    "scheduler_resources": validation.checked_resources,
    "env": _env,
    "worker_command": _command,
    "jupyter": validation.checked_flag,
    "idle_timeout": validation.checked_count,
    "scheduler_service_type": validation.checked_service_type,
    "priority_class": validation.checked_text,
    "worker_pod": validation.checked_pod,
    "scheduler_pod": validation.checked_pod,
}
"""Keywords about the cluster itself."""

OPTION_CHECKS: dict[str, _Check] = {
    "name": _name,
    "namespace": validation.checked_text,
    "create_mode": _create_mode,
    "shutdown_on_close": validation.checked_flag,
    "time_to_live": _time_to_live,
    "resource_timeout": validation.checked_seconds,
    "wait_for_workers": _workers_to_wait_for,
    "scheduler_forward_port": validation.checked_port,
    "scheduler_address": _address,
    "dashboard_address": _address,
}
"""Keywords about how this process deals with it."""

GROUP_KEYWORDS = (
    "n_workers",
    "image",
    "resources",
    "env",
    "worker_command",
    "priority_class",
    "worker_pod",
)

_REMEDIES = {
    "pod_template": "use worker_pod",
    "scheduler_pod_template": "use scheduler_pod",
    "port_forward_cluster_ip": "leave it out: a port-forward is used where the Service cannot be reached",
    "host": "leave it out: the scheduler runs on Kubernetes",
    "port": "leave it out: the operator chooses the ports",
    "deploy_mode": "leave it out: the scheduler runs on Kubernetes",
    "scheduler_service_wait_timeout": "use resource_timeout",
    "auth": "leave it out: the kubeconfig is used",
}


@dataclass(frozen=True)
class Keywords:
    """What was said about a cluster or a worker group, in Kubernetes' forms. What was not said is not in it."""

    said: Mapping[str, Any] = field(default_factory=dict)
    custom: Manifest | None = None
    """A DaskCluster, or the ``worker`` of a group, that the rest is laid over."""

    @classmethod
    def checked(cls, **given: Any) -> "Keywords":
        """Judge keywords as a user gives them; None is "not said".

        Raises:
            TypeError, ValueError: one is not right; the message names it and says how it should be.

        >>> Keywords.checked(n_workers=3, image=None).said
        {'n_workers': 3}
        """
        said = {key: SPEC_CHECKS[key](key, value) for key, value in given.items() if value is not None}
        return cls(said)


@dataclass(frozen=True)
class Options:
    """How this process deals with a cluster."""

    name: str | None = None
    namespace: str | None = None
    create_mode: CreateMode = CreateMode.CREATE_OR_CONNECT
    shutdown_on_close: bool | None = None
    time_to_live: float | None = None
    resource_timeout: float = 60.0
    wait_for_workers: bool | int = False
    scheduler_forward_port: int | None = None
    scheduler_address: str | None = None
    dashboard_address: str | None = None


def judged(given: Mapping[str, Any], unknown: Iterable[str] = ()) -> tuple[Keywords, Options]:
    """The keywords of a KubeCluster, those that are None taken from Dask's configuration.

    Raises:
        TypeError, ValueError: one is not right; the message names it.
    """
    for keyword in unknown:
        raise TypeError(_unknown(keyword))
    custom = _judge("custom_cluster_spec", given.get("custom_cluster_spec"), checked_custom)
    said = {key: _judge(key, given.get(key), check) for key, check in SPEC_CHECKS.items()}
    options = {key: _judge(key, given.get(key), check) for key, check in OPTION_CHECKS.items()}
    keywords = Keywords({key: value for key, value in said.items() if value is not None}, custom)
    return keywords, _agreeing(
        Options(**{key: value for key, value in options.items() if value is not None}), custom
    )


def checked_custom(keyword: str, value: Any) -> Manifest:
    """A DaskCluster, from a dict or the path of a YAML file."""
    body = _read(keyword, value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(body, Mapping):
        raise TypeError(
            f"{keyword} must be a DaskCluster as a dict, or the path of a file with one, not {body!r}"
        )
    kind, version = body.get("kind", Kind.CLUSTER.value), body.get("apiVersion", API_VERSION)
    if (kind, version) != (Kind.CLUSTER.value, API_VERSION):
        raise ValueError(f"{keyword} must be a {Kind.CLUSTER} of {API_VERSION}, not a {kind} of {version}")
    for key in ("spec", "metadata"):
        if not isinstance(body.get(key, {}), Mapping):
            raise TypeError(f"{keyword}[{key!r}] must be a dict, not {body[key]!r}")
    if "spec" not in body:
        raise ValueError(f"{keyword} has no 'spec': give a whole DaskCluster")
    name = section(body, "metadata").get("name")
    if name is not None:
        validation.checked_name(f"{keyword}['metadata']['name']", name)
    return {key: body[key] for key in body if key != "status"}


def _read(keyword: str, path: str | os.PathLike[str]) -> Any:
    try:
        documents = [item for item in yaml.safe_load_all(Path(path).expanduser().read_text()) if item]
    except OSError as error:
        raise ValueError(f"{keyword}: cannot read {os.fspath(path)}: {error.strerror or error}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{keyword}: {os.fspath(path)} is no YAML: {error}") from None
    if len(documents) != 1:
        raise ValueError(
            f"{keyword}: {os.fspath(path)} must have one DaskCluster in it, not {len(documents)} objects"
        )
    return documents[0]


def _judge(keyword: str, given: Any, check: _Check) -> Any:
    """The checked value of one keyword; None where neither the user nor the configuration says anything."""
    if given is not None:
        return check(keyword, given)
    value = config.configured(keyword)
    if value is None:
        return None
    try:
        return check(keyword, value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (from {config.key_of(keyword)} in Dask's configuration)") from None


def _agreeing(options: Options, custom: Manifest | None) -> Options:
    """The options with name and namespace of the custom spec, which must not say something else.

    Raises:
        ValueError: they do.
    """
    found: dict[str, Any] = {}
    for key in ("name", "namespace"):
        own, other = getattr(options, key), section(custom, "metadata").get(key)
        if own is not None and other is not None and own != other:
            raise ValueError(
                f"{key}: {own!r} was given, and custom_cluster_spec has {other!r}: keep one of them"
            )
        found[key] = own if own is not None else other
    return Options(**{**options.__dict__, **found})


def _unknown(keyword: str) -> str:
    known = ["custom_cluster_spec", *SPEC_CHECKS, *OPTION_CHECKS]
    close = difflib.get_close_matches(keyword, known, n=1)
    remedy = _REMEDIES.get(keyword) or (
        f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
    )
    return f"KubeCluster has no keyword {keyword!r}: {remedy}"
