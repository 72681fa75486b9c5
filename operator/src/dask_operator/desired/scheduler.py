"""The scheduler Pod of a cluster and the Service in front of it."""

import copy
import json
from collections.abc import Sequence

from dask_operator_api import labels, names
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.desired.digests import digest, image_written
from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.desired.podspec import ContainerDefaults, container_name, filled
from dask_operator.observed import ClusterView, ServiceView
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
    spec = cluster.spec.scheduler
    image = image_written(spec.pod, labels.SCHEDULER, cluster.spec.image)
    return digest(
        image=image,
        pod=spec.pod,
        resources=spec.resources,
        env=list(spec.env),
        idle=cluster.spec.idle_timeout,
    )


def scheduler_metadata(cluster: ClusterView) -> HandedDown:
    """What is handed down to the scheduler Pod. A node autoscaler leaves it in peace unless the user says otherwise."""
    protection = Metadata(annotations={labels.SAFE_TO_EVICT: "false"})
    return HandedDown.of(protection, inherited(cluster.metadata), cluster.spec.scheduler.metadata)


def scheduler_pod(
    cluster: ClusterView, image: str, default_image: str, pull_secrets: Sequence[str] = ()
) -> Manifest:
    """The scheduler Pod. ``image`` and ``pull_secrets`` are used where the template names none.

    ``default_image`` is what the cluster keeps to where the user names none: it is noted for whoever goes on.
    """
    spec = cluster.spec.scheduler
    fixed = Metadata(
        labels={**scheduler_labels(cluster), labels.CLUSTER_UID: cluster.uid},
        annotations={
            labels.TEMPLATE_DIGEST: scheduler_digest(cluster),
            labels.CONTAINER: container_name(spec.pod, labels.SCHEDULER),
            labels.DEFAULT_IMAGE: default_image,
            **_made_under(cluster),
        },
    )
    defaults = ContainerDefaults(
        name=labels.SCHEDULER,
        image=image,
        args=("dask", "scheduler", "--host", "0.0.0.0"),
        resources=spec.resources,
        user_env=spec.env,
        own_env=_environment(cluster),
        ports=_PORTS,
        probes=True,
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.scheduler_name(cluster.name),
            "namespace": cluster.namespace,
            **scheduler_metadata(cluster).with_fixed(fixed),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": filled(spec.pod, defaults, pull_secrets),
    }


def _environment(cluster: ClusterView) -> tuple[Manifest, ...]:
    """What the scheduler is told where the user's own environment is silent."""
    routes = {"name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES", "value": json.dumps(HTTP_ROUTES)}
    idle = cluster.spec.idle_timeout
    if not idle:
        return (routes,)
    return (routes, {"name": "DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT", "value": f"{idle:g}s"})


def restart_asked(cluster: ClusterView) -> str:
    """The value of the annotation that asks for a new scheduler; empty where there is none."""
    return cluster.metadata.annotations.get(labels.RESTART, "")


def _made_under(cluster: ClusterView) -> dict[str, str]:
    """What was in force when the scheduler was made, where there is something to say."""
    said = {labels.CLUSTER_IMAGE: cluster.spec.image or "", labels.RESTART: restart_asked(cluster)}
    return {key: value for key, value in said.items() if value}


def service_metadata(cluster: ClusterView) -> HandedDown:
    """What is handed down to the Service."""
    spec = cluster.spec.scheduler
    return HandedDown.of(inherited(cluster.metadata), spec.metadata, spec=spec.service)


def service_digest(cluster: ClusterView) -> str:
    """The digest of all that the Service is made from."""
    return digest(service=cluster.spec.scheduler.service, metadata=service_metadata(cluster).stamp)


def scheduler_service(cluster: ClusterView) -> Manifest:
    """The Service of the scheduler."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names.scheduler_name(cluster.name),
            "namespace": cluster.namespace,
            **service_metadata(cluster).with_fixed(_service_fixed(cluster)),
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": _service_spec(cluster),
    }


def service_patch(cluster: ClusterView, service: ServiceView) -> Manifest | None:
    """The merge patch that brings the Service up to date; None if it is."""
    if service.digest == service_digest(cluster):
        return None
    handed = service_metadata(cluster)
    fixed = _service_fixed(cluster)
    changed = handed.patch(service.handed_down) or {"labels": {}, "annotations": {}}
    metadata = {
        "uid": service.uid,
        "resourceVersion": str(service.version),
        "labels": {**changed["labels"], **fixed.labels},
        "annotations": {**changed["annotations"], **fixed.annotations},
    }
    spec = {**handed.spec_taken_away(service.handed_down), **_service_spec(cluster)}
    return {"metadata": metadata, "spec": spec}


def _service_fixed(cluster: ClusterView) -> Metadata:
    return Metadata(
        labels=scheduler_labels(cluster), annotations={labels.TEMPLATE_DIGEST: service_digest(cluster)}
    )


def _service_spec(cluster: ClusterView) -> Manifest:
    return {
        "type": "ClusterIP",
        "selector": scheduler_labels(cluster),
        "ports": copy.deepcopy(list(_SERVICE_PORTS)),
        **copy.deepcopy(cluster.spec.scheduler.service),
    }
