"""The worker Pods of a group."""

from collections.abc import Sequence

from dask_operator_api import labels, names
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata, WorkerSpec

from dask_operator.desired.digests import digest, image_written
from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.image import Image
from dask_operator.desired.owner import owner_reference
from dask_operator.desired.podspec import ContainerDefaults, container_name, filled
from dask_operator.desired.scheduler import COMM_PORT
from dask_operator.observed import ClusterView, GroupView
from dask_operator.observed.pods import DASHBOARD_PORT_NAME

TERMINATION_GRACE_SECONDS = 60
DRAIN_HOOK_SECONDS = 50
"""Less than the grace period: the container is told to end, and ends well, even if nobody retires the worker."""

SHORTEST_HOOK_SECONDS = 5

DASHBOARD_PORT = 8788
"""A number that is known, for Prometheus: by itself a worker takes any. Not the scheduler's."""

ARGS = (
    *("dask", "worker", "--name", "$(DASK_WORKER_NAME)"),
    # /metrics and /health are served all the same. What is left out are a worker's own pages, which hardly anybody
    # opens: to import what draws them takes a quarter of the CPU time of a start, and memory.
    *("--dashboard-address", f":{DASHBOARD_PORT}", "--no-dashboard"),
)


def worker_digest(worker: WorkerSpec, cluster_image: str) -> str:
    """The digest of what the user wrote about a worker Pod, metadata aside.

    ``cluster_image`` is the image that the user wrote for the whole cluster, as far as it is in force: a chart's
    default is no part of it.
    """
    image = image_written(worker.pod, labels.WORKER, worker.image, cluster_image)
    return digest(image=image, pod=worker.pod, resources=worker.resources, env=list(worker.env))


def worker_metadata(group: GroupView) -> HandedDown:
    """What is handed down to the worker Pods of ``group``."""
    return HandedDown.of(inherited(group.metadata), group.spec.worker.metadata)


def worker_pod(
    cluster: ClusterView, group: GroupView, image: Image, index: int, pull_secrets: Sequence[str] = ()
) -> Manifest:
    """Worker number ``index`` of ``group``.

    ``image`` is used where neither group nor template names one, and so are ``pull_secrets``.
    """
    worker = group.spec.worker
    name = names.worker_pod_name(group.name, group.uid, index)
    fixed = Metadata(
        labels={
            labels.CLUSTER_NAME: cluster.name,
            labels.WORKER_GROUP_NAME: group.name,
            labels.COMPONENT: labels.WORKER,
            labels.CLUSTER_UID: cluster.uid,
        },
        annotations={
            labels.WORKER_INDEX: str(index),
            labels.TEMPLATE_DIGEST: worker_digest(worker, image.written),
            labels.CONTAINER: container_name(worker.pod, labels.WORKER),
        },
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": group.namespace,
            **worker_metadata(group).with_fixed(fixed),
            "ownerReferences": [owner_reference(group)],
        },
        "spec": _spec(cluster, worker, image.name, name, pull_secrets),
    }


def _spec(
    cluster: ClusterView, worker: WorkerSpec, image: str, name: str, pull_secrets: Sequence[str]
) -> Manifest:
    address = f"tcp://{names.scheduler_host(cluster.name, cluster.namespace)}:{COMM_PORT}"
    written = worker.pod.get("terminationGracePeriodSeconds")
    grace = TERMINATION_GRACE_SECONDS if written is None else int(written)
    defaults = ContainerDefaults(
        name=labels.WORKER,
        image=worker.image or image,
        args=ARGS,
        resources=worker.resources,
        user_env=worker.env,
        own_env=(
            {"name": "DASK_WORKER_NAME", "value": name},
            {"name": "DASK_SCHEDULER_ADDRESS", "value": address},
        ),
        ports=_ports(worker),
        lifecycle=_drain_hook(grace),
    )
    return {"terminationGracePeriodSeconds": grace, **filled(worker.pod, defaults, pull_secrets)}


def _ports(worker: WorkerSpec) -> tuple[Manifest, ...]:
    """The dashboard's. On the node's own network a port that is named is one that no two Pods of a node may have."""
    if worker.pod.get("hostNetwork"):
        return ()
    return ({"name": DASHBOARD_PORT_NAME, "containerPort": DASHBOARD_PORT, "protocol": "TCP"},)


def _drain_hook(grace: int) -> Manifest | None:
    """Keeps a worker whose Pod is being deleted working until it is retired: the hook ends with the container."""
    seconds = min(DRAIN_HOOK_SECONDS, grace - (TERMINATION_GRACE_SECONDS - DRAIN_HOOK_SECONDS))
    if seconds < SHORTEST_HOOK_SECONDS:
        return None
    return {"preStop": {"exec": {"command": ["sleep", str(seconds)]}}}
