"""A patch laid over a part of a Kubernetes object, with lists merged as ``kubectl patch`` merges them. Pure."""

import copy
from collections.abc import Mapping
from typing import Any

from dask_operator_api.manifests import Manifest

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
}
"""Lists whose items are found again by one of their fields."""

_ADDED_TO = ("tolerations", "envFrom", "topologySpreadConstraints")
"""Lists that a patch adds to. Every other list is replaced."""


def laid_over(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Manifest:
    """A new object: ``base`` with what ``patch`` says; None in the patch takes a field away.

    Laying the same patch twice is laying it once.

    >>> laid_over({"volumes": [{"name": "a"}]}, {"volumes": [{"name": "b"}], "nodeSelector": {"gpu": "yes"}})
    {'volumes': [{'name': 'a'}, {'name': 'b'}], 'nodeSelector': {'gpu': 'yes'}}
    """
    merged = copy.deepcopy(dict(base))
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(key, merged.get(key), value)
    return merged


def _merged(key: str, old: Any, new: Any) -> Any:
    if isinstance(new, Mapping):
        return laid_over(old if isinstance(old, Mapping) else {}, new)
    if isinstance(old, list) and isinstance(new, list):
        if key in _ADDED_TO:
            return [*old, *(copy.deepcopy(item) for item in new if item not in old)]
        if key in _KEYS and all(isinstance(item, Mapping) for item in [*old, *new]):
            return _merged_by(_KEYS[key], old, new)
    return copy.deepcopy(new)


def _merged_by(field: str, old: list[Manifest], new: list[Manifest]) -> list[Manifest]:
    merged = list(old)
    for item in new:
        place = next((n for n, known in enumerate(merged) if known.get(field) == item.get(field)), None)
        if place is None:
            merged.append(laid_over({}, item))
        else:
            merged[place] = laid_over(merged[place], item)
    return merged
