"""The default worker group of a cluster."""

import copy
from collections.abc import Mapping

from dask_operator_api import labels, names
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, without_nulls
from dask_operator_api.specs import Metadata

from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.observed import ClusterView, GroupView

_NOT_FOLLOWED = ("cluster", "replicas")


def default_group(cluster: ClusterView) -> Manifest:
    """The default group as it is created."""
    replicas = cluster.spec.worker.replicas
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.WORKER_GROUP.value,
        "metadata": {
            "name": names.default_group_name(cluster.name),
            "namespace": cluster.namespace,
            **_metadata(cluster),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": {"cluster": cluster.name, "worker": {**_followed(cluster.worker), "replicas": replicas}},
    }


def group_spec_patch(cluster: ClusterView, group: GroupView) -> list[Manifest]:
    """The JSON patch that makes the default group follow its cluster; empty where it does.

    The number of workers is the group's own, except when the cluster's differs from the one last copied. That
    number is kept on the group itself, so that copying it and noting it are one write.
    """
    replicas = group.spec.worker.replicas
    wanted = cluster.spec.worker.replicas
    if group.copied_replicas is not None and group.copied_replicas != wanted:
        replicas = wanted
    worker = {**_followed(cluster.worker), "replicas": replicas}
    current = {**_followed(group.worker), "replicas": group.spec.worker.replicas}
    handed = HandedDown.of(inherited(cluster.metadata)).patch(
        group.metadata.annotations.get(labels.HANDED_DOWN, "")
    )
    fixed = _fixed(cluster)
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


def _metadata(cluster: ClusterView) -> Manifest:
    return HandedDown.of(inherited(cluster.metadata)).with_fixed(_fixed(cluster))


def _fixed(cluster: ClusterView) -> Metadata:
    return Metadata(
        labels={labels.CLUSTER_NAME: cluster.name},
        annotations={labels.COPIED_REPLICAS: str(cluster.spec.worker.replicas)},
    )


def _followed(worker: Manifest) -> Manifest:
    kept = {key: value for key, value in worker.items() if key not in _NOT_FOLLOWED}
    return copy.deepcopy(without_nulls(kept))


def _has(metadata: Metadata, wanted: Metadata) -> bool:
    return bool(
        wanted.labels.items() <= metadata.labels.items()
        and wanted.annotations.items() <= metadata.annotations.items()
    )
