"""The objects that should exist: pure builders. Each returns new dicts that share nothing with their input."""

from dask_operator.desired.autoscaler import autoscaler_patch, cluster_autoscaler
from dask_operator.desired.budget import scheduler_budget
from dask_operator.desired.group import WantedGroup, cluster_group, group_spec_patch, wanted_groups
from dask_operator.desired.image import Image, default_image, image_in_force
from dask_operator.desired.owner import owner_reference
from dask_operator.desired.scheduler import (
    restart_asked,
    scheduler_digest,
    scheduler_metadata,
    scheduler_pod,
    scheduler_service,
    service_patch,
)
from dask_operator.desired.worker import worker_digest, worker_metadata, worker_pod

__all__ = [
    "Image",
    "WantedGroup",
    "autoscaler_patch",
    "cluster_autoscaler",
    "cluster_group",
    "default_image",
    "group_spec_patch",
    "image_in_force",
    "owner_reference",
    "restart_asked",
    "scheduler_budget",
    "scheduler_digest",
    "scheduler_metadata",
    "scheduler_pod",
    "scheduler_service",
    "service_patch",
    "wanted_groups",
    "worker_digest",
    "worker_metadata",
    "worker_pod",
]
