"""What each keyword changes in the spec of a cluster or of a worker group. Pure.

A value goes to the short form (``spec.worker.env``) unless the spec has it in the Pod template, where it would win:
then it goes there. So the same functions write a new spec, adapt one that the user brings, and tell whether an
existing one is as asked: it is if laying a keyword over it changes nothing.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dask_operator_api import commands, labels
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client.podpatch import laid_over

CLUSTER = (labels.SCHEDULER, labels.WORKER)
"""The parts of a cluster's spec."""
GROUP = (labels.WORKER,)
"""The parts of a worker group's spec."""

Parts = Sequence[str]
Layer = Callable[[Manifest, Any, Parts], None]


def laid(spec: Mapping[str, Any], said: Mapping[str, Any], parts: Parts) -> Manifest:
    """A new spec: ``spec`` with what the checked keywords in ``said`` say.

    >>> laid({}, {"n_workers": 3, "priority_class": "high"}, GROUP)
    {'worker': {'replicas': 3, 'spec': {'priorityClassName': 'high'}}}
    """
    result = copy.deepcopy(dict(spec))
    for keyword, layer in LAYERS.items():
        if keyword in said:
            layer(result, copy.deepcopy(said[keyword]), parts)
    return result


def _n_workers(spec: Manifest, count: int, parts: Parts) -> None:
    _part(spec, labels.WORKER)["replicas"] = count


def _image(spec: Manifest, image: str, parts: Parts) -> None:
    open_parts = [part for part in parts if not _replace_image(spec, part, image)]
    if labels.SCHEDULER in parts:
        if open_parts:
            spec["image"] = image
    elif open_parts:
        _part(spec, labels.WORKER)["image"] = image


def _replace_image(spec: Manifest, part: str, image: str) -> bool:
    """Write the image where this part of the spec names one of its own; gives whether it does."""
    container = _container(spec, part)
    held = [item for item in (container, spec.get(part)) if item and item.get("image")]
    for item in held:
        item["image"] = image
    return bool(held)


def _resources(spec: Manifest, resources: Manifest, parts: Parts) -> None:
    _put_resources(spec, labels.WORKER, resources)


def _scheduler_resources(spec: Manifest, resources: Manifest, parts: Parts) -> None:
    _put_resources(spec, labels.SCHEDULER, resources)


def _put_resources(spec: Manifest, part: str, resources: Manifest) -> None:
    container = _container(spec, part)
    place = container if container and container.get("resources") else _part(spec, part)
    place["resources"] = resources


def _env(spec: Manifest, env: Sequence[Manifest], parts: Parts) -> None:
    for part in parts:
        container = _container(spec, part)
        names = {variable.get("name") for variable in items(container, "env")}
        if container is not None and names:
            _put_env(container, [variable for variable in env if variable["name"] in names])
        _put_env(_part(spec, part), [variable for variable in env if variable["name"] not in names])


def _put_env(place: Manifest, env: Sequence[Manifest]) -> None:
    """Replace variables whole: one that had a value may have a ``valueFrom`` now."""
    held = {variable["name"]: variable for variable in items(place, "env")}
    held |= {variable["name"]: copy.deepcopy(variable) for variable in env}
    if held:
        place["env"] = list(held.values())


def _worker_command(spec: Manifest, words: Sequence[str], parts: Parts) -> None:
    container = _container_made(spec, labels.WORKER)
    container.pop("command", None)
    container["args"] = list(words)


def _jupyter(spec: Manifest, wanted: bool, parts: Parts) -> None:
    if not wanted:
        return
    container = _container_made(spec, labels.SCHEDULER)
    words = container.get("args") or ([] if container.get("command") else list(commands.SCHEDULER))
    flag = commands.JUPYTER_FLAG
    container["args"] = words if flag in words else [*words, flag]


def _idle_timeout(spec: Manifest, seconds: int, parts: Parts) -> None:
    spec["idleTimeout"] = seconds


def _scheduler_service_type(spec: Manifest, kind: str, parts: Parts) -> None:
    scheduler = _part(spec, labels.SCHEDULER)
    scheduler["service"] = {**section(scheduler, "service"), "type": kind}


def _priority_class(spec: Manifest, name: str, parts: Parts) -> None:
    for part in parts:
        held = _part(spec, part)
        held["spec"] = {**section(held, "spec"), "priorityClassName": name}


def _worker_pod(spec: Manifest, pod: Manifest, parts: Parts) -> None:
    _put_pod(spec, labels.WORKER, pod)


def _scheduler_pod(spec: Manifest, pod: Manifest, parts: Parts) -> None:
    _put_pod(spec, labels.SCHEDULER, pod)


def _put_pod(spec: Manifest, part: str, pod: Manifest) -> None:
    """Lay a Pod over a part. A container without a name is the one that runs Dask."""
    held = _part(spec, part)
    for key in ("metadata", "spec"):
        patch = section(pod, key)
        if key == "spec" and items(patch, "containers"):
            name = (_container(spec, part) or {}).get("name") or part
            patch["containers"] = [{"name": name, **item} for item in items(patch, "containers")]
        if patch:
            held[key] = laid_over(section(held, key), patch)


LAYERS: dict[str, Layer] = {
    "n_workers": _n_workers,
    "image": _image,
    "resources": _resources,
    "scheduler_resources": _scheduler_resources,
    "env": _env,
    "worker_command": _worker_command,
    "jupyter": _jupyter,
    "idle_timeout": _idle_timeout,
    "scheduler_service_type": _scheduler_service_type,
    "priority_class": _priority_class,
    "worker_pod": _worker_pod,
    "scheduler_pod": _scheduler_pod,
}
"""In the order in which they are laid: a Pod says most, and comes last."""


def _part(spec: Manifest, part: str) -> Manifest:
    """A part of the spec, made where it is missing or null."""
    if not isinstance(spec.get(part), dict):
        spec[part] = {}
    held: Manifest = spec[part]
    return held


def _container(spec: Manifest, part: str) -> Manifest | None:
    """The container that runs Dask: the one of that name, else the first. The very dict in ``spec``."""
    pod = (spec.get(part) or {}).get("spec") or {}
    containers: list[Manifest] = pod.get("containers") or []
    named = [container for container in containers if container.get("name") == part]
    return next(iter([*named, *containers]), None)


def _container_made(spec: Manifest, part: str) -> Manifest:
    found = _container(spec, part)
    if found is not None:
        return found
    made: Manifest = {"name": part}
    held = _part(spec, part)
    held["spec"] = {**section(held, "spec"), "containers": [made]}
    return made
