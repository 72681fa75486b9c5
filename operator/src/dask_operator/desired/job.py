"""The DaskCluster and the runner Pod of a job."""

import copy

from dask_operator_api import labels, names
from dask_operator_api.jobs import JobTemplate
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, items
from dask_operator_api.specs import Metadata

from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator.desired.owner import owner_reference
from dask_operator.desired.podspec import container_name, merged_env
from dask_operator.desired.scheduler import COMM_PORT
from dask_operator.observed import JobView


def job_cluster(job: JobView, template: JobTemplate, attempt: int) -> Manifest:
    """The cluster of attempt number ``attempt``. Its metadata is ``spec.cluster.metadata``, not the job's own."""
    fixed = Metadata(annotations={labels.ATTEMPT: str(attempt)})
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.CLUSTER.value,
        "metadata": {
            "name": job.name,
            "namespace": job.namespace,
            **HandedDown.of(inherited(template.cluster_metadata)).with_fixed(fixed),
            "ownerReferences": [owner_reference(job)],
        },
        "spec": copy.deepcopy(template.cluster),
    }


def job_runner(job: JobView, template: JobTemplate, attempt: int, in_place: bool) -> Manifest:
    """The Pod that runs the program in attempt number ``attempt``.

    ``in_place``: a program that fails may be started again in its Pod, if the template says so.
    """
    fixed = Metadata(
        labels={labels.CLUSTER_NAME: job.name, labels.COMPONENT: labels.JOB_RUNNER},
        annotations={
            labels.ATTEMPT: str(attempt),
            labels.CONTAINER: container_name(template.pod, labels.JOB_RUNNER),
        },
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.runner_name(job.name, attempt),
            "namespace": job.namespace,
            **_runner_metadata(job, template).with_fixed(fixed),
            "ownerReferences": [owner_reference(job)],
        },
        "spec": _runner_spec(job, template, in_place),
    }


def _runner_metadata(job: JobView, template: JobTemplate) -> HandedDown:
    """What is handed down to a runner. A node autoscaler leaves it in peace unless the user says otherwise."""
    protection = Metadata(annotations={labels.SAFE_TO_EVICT: "false"})
    return HandedDown.of(protection, inherited(job.metadata), template.runner)


def _runner_spec(job: JobView, template: JobTemplate, in_place: bool) -> Manifest:
    """The template, with the scheduler's address in every container that does not set it.

    A program that exits 0 must stay down, so ``Always`` is run as ``OnFailure``.
    """
    spec = copy.deepcopy(template.pod)
    host = names.scheduler_host(job.name, job.namespace)
    address = {"name": "DASK_SCHEDULER_ADDRESS", "value": f"tcp://{host}:{COMM_PORT}"}
    for part in ("initContainers", "containers"):
        if spec.get(part):
            spec[part] = [{**c, "env": merged_env(items(c, "env"), [address])} for c in items(spec, part)]
    keeps_running = in_place and template.restarts_in_place
    spec["restartPolicy"] = "OnFailure" if keeps_running else "Never"
    return spec
