"""The scheduler Pod of a cluster and the Service in front of it."""

import copy
import json

from dask_operator_api import labels, names
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.desired.metadata import digest, layered, owner_reference
from dask_operator.desired.podspec import ContainerDefaults, container_name, filled
from dask_operator.observed import ClusterView
from dask_operator.observed.pods import DASHBOARD_PORT, DASHBOARD_PORT_NAME

COMM_PORT_NAME = "tcp-comm"
COMM_PORT = 8786

HTTP_ROUTES = (
    "distributed.http.scheduler.prometheus",
    "distributed.http.scheduler.info",
    "distributed.http.scheduler.json",
    "distributed.http.scheduler.api",
    "distributed.http.health",
    "distributed.http.proxy",
    "distributed.http.statics",
)
"""distributed's default routes and its HTTP API, without which no worker can be retired."""

_PORTS = (
    {"name": COMM_PORT_NAME, "containerPort": COMM_PORT, "protocol": "TCP"},
    {"name": DASHBOARD_PORT_NAME, "containerPort": DASHBOARD_PORT, "protocol": "TCP"},
)
_SERVICE_PORTS = (
    {"name": COMM_PORT_NAME, "port": COMM_PORT, "targetPort": COMM_PORT_NAME, "protocol": "TCP"},
    {
        "name": DASHBOARD_PORT_NAME,
        "port": DASHBOARD_PORT,
        "targetPort": DASHBOARD_PORT_NAME,
        "protocol": "TCP",
    },
)


def scheduler_labels(cluster: ClusterView) -> dict[str, str]:
    """The labels by which the Service finds the scheduler Pod."""
    return {labels.CLUSTER_NAME: cluster.name, labels.COMPONENT: labels.SCHEDULER}


def scheduler_digest(cluster: ClusterView) -> str:
    """The digest of what the user wrote about the scheduler Pod, metadata aside."""
    spec = cluster.spec
    return digest(spec.image, spec.scheduler.pod, spec.scheduler.resources, list(spec.scheduler.env))


def scheduler_pod(cluster: ClusterView, image: str) -> Manifest:
    """The scheduler Pod. ``image`` is used where the template names none."""
    spec = cluster.spec.scheduler
    fixed = Metadata(
        labels={**scheduler_labels(cluster), labels.CLUSTER_UID: cluster.uid},
        annotations={
            labels.TEMPLATE_DIGEST: scheduler_digest(cluster),
            labels.CONTAINER: container_name(spec.pod, labels.SCHEDULER),
        },
    )
    defaults = ContainerDefaults(
        name=labels.SCHEDULER,
        image=image,
        args=("dask", "scheduler", "--host", "0.0.0.0"),
        resources=spec.resources,
        user_env=spec.env,
        own_env=({"name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES", "value": json.dumps(HTTP_ROUTES)},),
        ports=_PORTS,
        probes=True,
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.scheduler_name(cluster.name),
            "namespace": cluster.namespace,
            **layered(cluster.metadata, spec.metadata, fixed),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": filled(spec.pod, defaults),
    }


def service_digest(cluster: ClusterView) -> str:
    """The digest of all that the Service is made from."""
    inherited = layered(cluster.metadata, cluster.spec.scheduler.metadata, Metadata())
    return digest(cluster.spec.scheduler.service, inherited)


def scheduler_service(cluster: ClusterView) -> Manifest:
    """The Service of the scheduler."""
    fixed = Metadata(
        labels=scheduler_labels(cluster), annotations={labels.TEMPLATE_DIGEST: service_digest(cluster)}
    )
    written = copy.deepcopy(cluster.spec.scheduler.service)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names.scheduler_name(cluster.name),
            "namespace": cluster.namespace,
            **layered(cluster.metadata, cluster.spec.scheduler.metadata, fixed),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": {
            "type": "ClusterIP",
            "selector": scheduler_labels(cluster),
            "ports": copy.deepcopy(list(_SERVICE_PORTS)),
            **written,
        },
    }
