"""The autoscaler that a cluster's spec asks for."""

import copy

from dask_operator_api import labels
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.desired.digests import digest
from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.observed import AutoscalerView, ClusterView


def cluster_autoscaler(cluster: ClusterView) -> Manifest:
    """The autoscaler of a cluster, whose name it has."""
    fixed = Metadata(
        labels={labels.CLUSTER_NAME: cluster.name},
        annotations={labels.FROM_SPEC: "true", labels.TEMPLATE_DIGEST: _digest(cluster)},
    )
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.AUTOSCALER.value,
        "metadata": {
            "name": cluster.name,
            "namespace": cluster.namespace,
            **HandedDown.of(inherited(cluster.metadata)).with_fixed(fixed),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": _spec(cluster),
    }


def autoscaler_patch(cluster: ClusterView, autoscaler: AutoscalerView) -> list[Manifest]:
    """The JSON patch that makes an autoscaler follow the spec of its cluster; empty where it does.

    Fields that the cluster's spec leaves open are the CRD's to fill in, and no difference; one that was taken out of
    it is.
    """
    wanted, made_from = _spec(cluster), autoscaler.metadata.annotations.get(labels.TEMPLATE_DIGEST)
    same = all(autoscaler.spec.get(key) == value for key, value in wanted.items())
    if same and made_from == _digest(cluster):
        return []
    noted = f"/metadata/annotations/{labels.TEMPLATE_DIGEST.replace('/', '~1')}"
    return [
        {"op": "test", "path": "/metadata/uid", "value": autoscaler.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(autoscaler.version)},
        {"op": "add", "path": "/spec", "value": wanted},
        {"op": "add", "path": noted, "value": _digest(cluster)},
    ]


def _digest(cluster: ClusterView) -> str:
    return digest(autoscaler=cluster.spec.autoscaler)


def _spec(cluster: ClusterView) -> Manifest:
    return {**copy.deepcopy(cluster.spec.autoscaler), "cluster": cluster.name}
