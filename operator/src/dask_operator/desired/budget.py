"""The PodDisruptionBudget of a scheduler."""

from dask_operator_api import labels, names
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.desired.scheduler import scheduler_labels
from dask_operator.observed import ClusterView


def scheduler_budget(cluster: ClusterView) -> Manifest:
    """Nobody evicts the scheduler.

    ``minAvailable``, since ``maxUnavailable`` needs a controller that Kubernetes can ask for its number of Pods.
    """
    fixed = Metadata(labels={**scheduler_labels(cluster), labels.CLUSTER_UID: cluster.uid})
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": names.scheduler_name(cluster.name),
            "namespace": cluster.namespace,
            **HandedDown.of(inherited(cluster.metadata)).with_fixed(fixed),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": {"minAvailable": 1, "selector": {"matchLabels": scheduler_labels(cluster)}},
    }
