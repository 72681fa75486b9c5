"""The objects that should exist: pure builders. Each returns new dicts that share nothing with their input."""

from dask_operator.desired.group import default_group, group_spec_patch
from dask_operator.desired.scheduler import scheduler_digest, scheduler_pod, scheduler_service, service_digest
from dask_operator.desired.worker import worker_digest, worker_pod

__all__ = [
    "default_group",
    "group_spec_patch",
    "scheduler_digest",
    "scheduler_pod",
    "scheduler_service",
    "service_digest",
    "worker_digest",
    "worker_pod",
]
