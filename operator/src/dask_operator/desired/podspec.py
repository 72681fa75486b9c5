"""Filling in a user's Pod template: only where the user is silent."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from dask_operator_api.manifests import Manifest, items

from dask_operator.observed.pods import dask_container


@dataclass(frozen=True)
class ContainerDefaults:
    """What the Dask container gets where the user wrote nothing."""

    name: str
    image: str
    args: tuple[str, ...]
    resources: Manifest
    user_env: tuple[Manifest, ...]
    """Environment from the short form (``spec.scheduler.env``); wins over ours, not over the template's."""
    own_env: tuple[Manifest, ...]
    ports: tuple[Manifest, ...] = ()
    probes: bool = False
    lifecycle: Manifest | None = None


def container_name(template: Manifest, component: str) -> str:
    """The name that the Dask container of ``template`` will have."""
    return str(dask_container(template, component).get("name") or component)


def filled(template: Manifest, defaults: ContainerDefaults, pull_secrets: Sequence[str] = ()) -> Manifest:
    """The PodSpec of a scheduler or worker: the user's template with the gaps filled.

    A ``restartPolicy`` of Always is run as OnFailure, since a worker that was retired, or a scheduler that was
    shut down, exits 0 and must stay down. ``pull_secrets`` are for templates that name none.
    """
    spec = copy.deepcopy(template)
    containers = items(spec, "containers") or [{"name": defaults.name}]
    target = dask_container({"containers": containers}, defaults.name)
    spec["containers"] = [_container(c, defaults) if c is target or c == target else c for c in containers]
    if spec.get("restartPolicy") in (None, "", "Always"):
        spec["restartPolicy"] = "OnFailure"
    if pull_secrets and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": name} for name in pull_secrets]
    return spec


def _container(written: Manifest, defaults: ContainerDefaults) -> Manifest:
    container = {"name": defaults.name, "image": defaults.image, **written}
    if not container.get("args") and not container.get("command"):
        container["args"] = list(defaults.args)
    if not container.get("resources") and defaults.resources:
        container["resources"] = copy.deepcopy(defaults.resources)
    if not container.get("ports") and defaults.ports:
        container["ports"] = copy.deepcopy(list(defaults.ports))
    container["env"] = merged_env(items(written, "env"), defaults.user_env, defaults.own_env)
    if defaults.probes:
        _add_probes(container)
    if defaults.lifecycle and "lifecycle" not in container:
        container["lifecycle"] = copy.deepcopy(defaults.lifecycle)
    return container


def merged_env(*layers: Sequence[Manifest]) -> list[Manifest]:
    """Environment variables, one of each name: earlier layers win.

    Ours come first in the list, so that a user's variable can refer to them as ``$(NAME)``.
    """
    chosen: dict[str, Manifest] = {}
    for layer in reversed(layers):
        for variable in layer:
            name = str(variable.get("name", ""))
            chosen.pop(name, None)  # an override stands where its own layer has it, after what it refers to
            chosen[name] = variable
    return [copy.deepcopy(variable) for variable in chosen.values()]


def _add_probes(container: Manifest) -> None:
    """Probe /health where the container has a dashboard port and the user wrote no probe of that kind."""
    if not any(port.get("name") == "http-dashboard" for port in items(container, "ports")):
        return
    request = {"httpGet": {"path": "/health", "port": "http-dashboard"}}
    container.setdefault(
        "readinessProbe", {**copy.deepcopy(request), "periodSeconds": 1, "timeoutSeconds": 5}
    )
    container.setdefault(
        "livenessProbe",
        {**copy.deepcopy(request), "initialDelaySeconds": 15, "periodSeconds": 15, "timeoutSeconds": 10},
    )
