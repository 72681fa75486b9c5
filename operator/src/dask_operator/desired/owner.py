"""The owner of what is made."""

from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest

from dask_operator.observed import ClusterView, GroupView, JobView

Owner = ClusterView | GroupView | JobView

OWNER_KINDS: dict[type[Owner], Kind] = {
    ClusterView: Kind.CLUSTER,
    GroupView: Kind.WORKER_GROUP,
    JobView: Kind.JOB,
}


def owner_reference(owner: Owner) -> Manifest:
    """The reference that makes ``owner`` the controller of an object, so that it is deleted with it."""
    return {
        "apiVersion": API_VERSION,
        "kind": OWNER_KINDS[type(owner)].value,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }
