"""The Events that say what was done: plain bodies, pure."""

import hashlib

from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest
from dask_operator_api.times import rfc3339

from dask_operator_autoscaler.observed import Autoscaler

REPORTER = "dask-operator-autoscaler"


def event(
    about: Autoscaler, reason: str, message: str, wall: float, identity: str, warning: bool = False
) -> Manifest:
    """An Event about an autoscaler. The same happening in the same second has the same name."""
    now = rfc3339(wall)
    digest = hashlib.sha256(f"{about.uid}/{reason}/{message}/{now}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about.name}.{digest}", "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": Kind.AUTOSCALER.value,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "reason": reason,
        "message": message[:1024],
        "type": "Warning" if warning else "Normal",
        "source": {"component": REPORTER},
        "reportingComponent": REPORTER,
        "reportingInstance": identity,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
