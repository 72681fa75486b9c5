"""Judging keywords before anything is sent. Each error names the keyword and the remedy."""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dask_operator_api import commands, names
from dask_operator_api.manifests import Manifest

_QUANTITY = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_ENV_NAME = re.compile(r"^[^=\x00-\x1f\x7f]+$")
_RESOURCE_KEYS = ("requests", "limits", "claims")
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
_POD_KEYS = ("apiVersion", "kind", "metadata", "spec")


def checked_name(keyword: str, name: Any) -> str:
    """A valid name of a DaskCluster.

    >>> checked_name("name", "my-cluster")
    'my-cluster'
    """
    text = _text(keyword, name, "a string, for example 'my-cluster'")
    problem = names.cluster_name_problem(text)
    if problem:
        raise ValueError(f"{keyword}: {problem}")
    return text


def checked_group_name(keyword: str, cluster: str, name: Any) -> str:
    """The full name of a cluster's worker group, from the short one.

    >>> checked_group_name("name", "my-cluster", "highmem")
    'my-cluster-highmem'
    """
    text = _text(keyword, name, "a string, for example 'highmem'")
    full = f"{cluster}-{text}"
    problem = names.worker_group_name_problem(text) or names.worker_group_name_problem(full)
    if problem:
        raise ValueError(f"{keyword}: {problem}")
    return full


def checked_count(keyword: str, value: Any) -> int:
    """A number of workers: an integer from 0 up.

    >>> checked_count("n_workers", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{keyword} must be an integer such as 3, not {_shown(value)}")
    if value < 0:
        raise ValueError(f"{keyword} must be 0 or more, not {value}")
    return value


def checked_text(keyword: str, value: Any) -> str:
    """A string that is not empty and has no white space, such as an image or a namespace."""
    text = _text(keyword, value, "a string")
    if not text or text != "".join(text.split()):
        raise ValueError(f"{keyword} must be a string without spaces, not {value!r}")
    return text


def checked_seconds(keyword: str, value: Any) -> float:
    """A number of seconds greater than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{keyword} must be a number of seconds, not {_shown(value)}")
    if not value > 0:
        raise ValueError(f"{keyword} must be more than 0 seconds, not {value}")
    return float(value)


def checked_flag(keyword: str, value: Any) -> bool:
    """True or False, and nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise TypeError(f"{keyword} must be True or False, not {_shown(value)}")
    return value


def checked_mapping(keyword: str, value: Any) -> Manifest:
    """A dict."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{keyword} must be a dict, not {_shown(value)}")
    return dict(value)


def checked_port(keyword: str, value: Any) -> int:
    """A TCP port."""
    port = checked_count(keyword, value)
    if not 0 < port < 65536:
        raise ValueError(f"{keyword} must be a port from 1 to 65535, not {port}")
    return port


def checked_service_type(keyword: str, value: Any) -> str:
    """A type of Service that leads to Pods."""
    if value not in _SERVICE_TYPES:
        raise ValueError(f"{keyword} must be one of {', '.join(_SERVICE_TYPES)}, not {value!r}")
    return str(value)


def checked_pod(keyword: str, pod: Any) -> Manifest:
    """A part of a Pod, or of a PodSpec, as a part of a Pod.

    >>> checked_pod("worker_pod", {"nodeSelector": {"gpu": "yes"}})
    {'spec': {'nodeSelector': {'gpu': 'yes'}}}
    """
    if not isinstance(pod, Mapping):
        raise TypeError(f"{keyword} must be a dict like {{'nodeSelector': {{...}}}}, not {_shown(pod)}")
    _refuse_snake_case(keyword, pod)
    whole = dict(pod) if pod and all(key in _POD_KEYS for key in pod) else {"spec": dict(pod)}
    for key in ("metadata", "spec"):
        if not isinstance(whole.get(key, {}), Mapping):
            raise TypeError(f"{keyword}[{key!r}] must be a dict, not {_shown(whole[key])}")
    others = sorted(set(whole.get("metadata", {})) - {"labels", "annotations"})
    if others:
        raise ValueError(f"{keyword} can have 'labels' and 'annotations' in its metadata, not {others[0]!r}")
    return {key: whole[key] for key in ("metadata", "spec") if whole.get(key)}


def checked_env(env: Any) -> list[Manifest]:
    """Environment variables in Kubernetes' form, from a mapping or from that form itself.

    >>> checked_env({"FOO": "bar", "N": 1})
    [{'name': 'FOO', 'value': 'bar'}, {'name': 'N', 'value': '1'}]
    """
    if isinstance(env, Mapping):
        return [_variable_from_pair(name, value) for name, value in env.items()]
    if isinstance(env, Sequence) and not isinstance(env, str | bytes):
        variables = [_variable(item) for item in env]
        _refuse_repeats([variable["name"] for variable in variables])
        return variables
    raise TypeError(f"env must be a dict like {{'FOO': 'bar'}} or a list of EnvVar dicts, not {_shown(env)}")


def checked_resources(keyword: str, resources: Any) -> Manifest:
    """Resource requests and limits in Kubernetes' form, every quantity as a string.

    >>> checked_resources("resources", {"limits": {"cpu": 2, "memory": "16Gi"}})
    {'limits': {'cpu': '2', 'memory': '16Gi'}}
    """
    if not isinstance(resources, Mapping):
        example = "{'requests': {'memory': '16Gi'}, 'limits': {'memory': '16Gi'}}"
        raise TypeError(f"{keyword} must be a dict like {example}, not {_shown(resources)}")
    for key in resources:
        if key not in _RESOURCE_KEYS:
            raise ValueError(f"{keyword} has no {key!r}: {_remedy(key)}")
    checked: Manifest = {}
    for key, amounts in resources.items():
        checked[key] = list(amounts) if key == "claims" else _quantities(f"{keyword}[{key!r}]", amounts)
    return checked


def checked_command(command: Any) -> list[str]:
    """The words of a worker's command, with the worker's name at the end unless it names one.

    >>> checked_command("dask worker")
    ['dask', 'worker', '--name', '$(DASK_WORKER_NAME)']
    """
    if isinstance(command, str):
        words = shlex.split(command)
    elif isinstance(command, Sequence) and all(isinstance(word, str) for word in command):
        words = list(command)
    else:
        raise TypeError(
            f"worker_command must be a string or a list of strings such as 'dask worker', not {_shown(command)}"
        )
    if not words:
        raise ValueError("worker_command is empty: leave it out for the operator's own")
    named = any(word == commands.NAME_FLAG or word.startswith(f"{commands.NAME_FLAG}=") for word in words)
    return words if named else [*words, commands.NAME_FLAG, commands.WORKER_NAME]


def _remedy(key: Any) -> str:
    if key in ("cpu", "memory"):
        return f"put it into 'requests' or 'limits', as in {{'limits': {{{key!r}: ...}}}}"
    close = difflib.get_close_matches(str(key), _RESOURCE_KEYS, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "use 'requests' and 'limits'"


def _quantities(where: str, amounts: Any) -> dict[str, str]:
    if not isinstance(amounts, Mapping):
        raise TypeError(f"{where} must be a dict like {{'memory': '16Gi'}}, not {_shown(amounts)}")
    return {str(name): _quantity(f"{where}[{name!r}]", amount) for name, amount in amounts.items()}


def _refuse_snake_case(keyword: str, value: Any) -> None:
    """Refuse the field names of Kubernetes' Python classes, which the API server would not know."""
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{keyword} must have strings as keys, not {_shown(key)}")
        if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", key):
            words = key.split("_")
            camel = words[0] + "".join(word.capitalize() for word in words[1:])
            raise ValueError(f"{keyword} has {key!r}: Kubernetes calls it {camel!r}")
        if key not in ("labels", "annotations", "nodeSelector", "matchLabels"):
            for item in inner if isinstance(inner, list) else [inner]:
                _refuse_snake_case(keyword, item)


def _quantity(where: str, amount: Any) -> str:
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        raise TypeError(f"{where} must be a quantity such as '16Gi' or 2, not {_shown(amount)}")
    text = str(amount)
    if not _QUANTITY.match(text):
        raise ValueError(f"{where} must be a quantity such as '16Gi', '500m' or 2, not {amount!r}")
    return text


def _variable_from_pair(name: Any, value: Any) -> Manifest:
    _env_name(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"env[{name!r}] must be a string, not {_shown(value)}: write it as the text you mean")
    return {"name": name, "value": str(value)}


def _variable(item: Any) -> Manifest:
    if not isinstance(item, Mapping) or "name" not in item:
        raise TypeError(f"env must have dicts like {{'name': 'FOO', 'value': 'bar'}}, not {_shown(item)}")
    _env_name(item["name"])
    unknown = sorted(str(key) for key in item.keys() - {"name", "value", "valueFrom"})
    if unknown:
        raise ValueError(
            f"env variable {item['name']!r} has no {unknown[0]!r}: use 'name' with 'value' or 'valueFrom'"
        )
    if not isinstance(item.get("value", ""), str):
        raise TypeError(
            f"env variable {item['name']!r} must have a string as 'value', not {_shown(item['value'])}"
        )
    if not isinstance(item.get("valueFrom", {}), Mapping):
        raise TypeError(
            f"env variable {item['name']!r} must have a dict as 'valueFrom', not {_shown(item['valueFrom'])}"
        )
    if item.get("value") and "valueFrom" in item:
        raise ValueError(f"env variable {item['name']!r} has both 'value' and 'valueFrom': keep one")
    return dict(item)


def _env_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"env must have strings as names, not {_shown(name)}")
    if not _ENV_NAME.match(name):
        raise ValueError(f"env has the name {name!r}: use a name without '=', and not an empty one")


def _refuse_repeats(found: list[str]) -> None:
    repeated = sorted({name for name in found if found.count(name) > 1})
    if repeated:
        raise ValueError(f"env has {repeated[0]!r} more than once: keep one")


def _text(keyword: str, value: Any, wanted: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{keyword} must be {wanted}, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
