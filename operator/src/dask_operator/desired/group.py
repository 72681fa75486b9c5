"""The worker groups that a cluster's spec asks for."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from dask_operator_api import labels, names
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, without_nulls
from dask_operator_api.specs import Metadata

from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.observed import ClusterView, GroupView

_NOT_FOLLOWED = ("cluster", "replicas")


@dataclass(frozen=True)
class WantedGroup:
    """A worker group that a cluster's spec asks for."""

    name: str
    """Of the DaskWorkerGroup."""
    worker: Manifest
    """``spec.worker`` as it was written."""
    replicas: int
    default: bool = False
    """Whether it is the one that each cluster has."""


def wanted_groups(cluster: ClusterView) -> tuple[WantedGroup, ...]:
    """The groups that a cluster's spec asks for: the default one, then those of ``spec.workerGroups``."""
    spec = cluster.spec
    default = names.default_group_name(cluster.name)
    more = (
        WantedGroup(names.extra_group_name(cluster.name, group.name), group.written, group.worker.replicas)
        for group in spec.groups
    )
    return (WantedGroup(default, cluster.worker, spec.worker.replicas, default=True), *more)


def cluster_group(cluster: ClusterView, wanted: WantedGroup) -> Manifest:
    """A group of a cluster's spec as it is created."""
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.WORKER_GROUP.value,
        "metadata": {
            "name": wanted.name,
            "namespace": cluster.namespace,
            **HandedDown.of(inherited(cluster.metadata)).with_fixed(_fixed(cluster, wanted)),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": {
            "cluster": cluster.name,
            "worker": {**_followed(wanted.worker), "replicas": wanted.replicas},
        },
    }


def group_spec_patch(cluster: ClusterView, wanted: WantedGroup, group: GroupView) -> list[Manifest]:
    """The JSON patch that makes a group follow the spec of its cluster; empty where it does.

    The number of workers is the group's own, except when the cluster's differs from the one last copied. That
    number is kept on the group itself, so that copying it and noting it are one write.
    """
    replicas = group.spec.worker.replicas
    if group.copied_replicas is not None and group.copied_replicas != wanted.replicas:
        replicas = wanted.replicas
    worker = {**_followed(wanted.worker), "replicas": replicas}
    current = {**_followed(group.worker), "replicas": group.spec.worker.replicas}
    handed = HandedDown.of(inherited(cluster.metadata)).patch(
        group.metadata.annotations.get(labels.HANDED_DOWN, "")
    )
    fixed = _fixed(cluster, wanted)
    if worker == current and handed is None and _has(group.metadata, fixed):
        return []
    changed = handed or {"labels": {}, "annotations": {}}
    return [
        {"op": "test", "path": "/metadata/uid", "value": group.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(group.version)},
        {"op": "add", "path": "/spec/worker", "value": worker},
        _merged("labels", group.metadata.labels, changed, fixed.labels),
        _merged("annotations", group.metadata.annotations, changed, fixed.annotations),
    ]


def _merged(part: str, held: Mapping[str, str], changed: Manifest, fixed: Mapping[str, str]) -> Manifest:
    value = without_nulls({**held, **changed[part], **fixed})
    return {"op": "add", "path": f"/metadata/{part}", "value": value}


def _fixed(cluster: ClusterView, wanted: WantedGroup) -> Metadata:
    mark = {} if wanted.default else {labels.FROM_SPEC: "true"}
    return Metadata(
        labels={labels.CLUSTER_NAME: cluster.name},
        annotations={labels.COPIED_REPLICAS: str(wanted.replicas), **mark},
    )


def _followed(worker: Manifest) -> Manifest:
    kept = {key: value for key, value in worker.items() if key not in _NOT_FOLLOWED}
    return copy.deepcopy(without_nulls(kept))


def _has(metadata: Metadata, wanted: Metadata) -> bool:
    return bool(
        wanted.labels.items() <= metadata.labels.items()
        and wanted.annotations.items() <= metadata.annotations.items()
    )
