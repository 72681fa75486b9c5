"""Labels and annotations that the operator writes or reads.

The ``dask.org/`` keys are those that existing clusters carry; the ``kubernetes.dask.org/`` keys are this
operator's own.
"""

CLUSTER_NAME = "dask.org/cluster-name"
COMPONENT = "dask.org/component"
WORKER_GROUP_NAME = "dask.org/workergroup-name"

SCHEDULER = "scheduler"
WORKER = "worker"
JOB_RUNNER = "job-runner"

OWN_PREFIX = "kubernetes.dask.org/"
CLUSTER_UID = f"{OWN_PREFIX}cluster-uid"
"""Label on every Pod of a cluster: the uid of the one incarnation that it belongs to."""

WORKER_INDEX = f"{OWN_PREFIX}worker-index"
"""Annotation on a worker Pod: its number within its group, counted from 1 and never given twice."""

TEMPLATE_DIGEST = f"{OWN_PREFIX}template-digest"
"""Annotation on a Pod: the digest of what the user wrote for it."""

CONTAINER = f"{OWN_PREFIX}container"
"""Annotation on a Pod: the name of the container that Dask runs in, whatever others inject beside it."""

COPIED_REPLICAS = f"{OWN_PREFIX}copied-replicas"
"""Annotation on the default group: the cluster's ``spec.worker.replicas`` that was last copied into it."""

HANDED_DOWN = f"{OWN_PREFIX}handed-down"
"""Annotation on what the operator makes: which labels and annotations were handed down to it, so that one that the
user takes away is taken away there too."""

CLUSTER_IMAGE = f"{OWN_PREFIX}cluster-image"
"""Annotation on a scheduler Pod: ``spec.image`` of its cluster when it was made. Workers keep to it, so that a
cluster changes its image as a whole."""

DEFAULT_IMAGE = f"{OWN_PREFIX}default-image"
"""Annotation on a scheduler Pod: the image of its cluster where the user names none. It is the install's default at the
cluster's creation, and the cluster keeps to it."""

ATTEMPT = f"{OWN_PREFIX}attempt"
"""Annotation on the DaskCluster and the runner Pod of a job: the number of the attempt that they were made for."""

FROM_SPEC = f"{OWN_PREFIX}from-spec"
"""Annotation on a worker group or an autoscaler: it was made from its cluster's spec, and goes when it is no more
in there."""

RESTART = f"{OWN_PREFIX}restart"
"""Annotation on a DaskCluster: a new value has the scheduler replaced at once. On a scheduler Pod: the value that it
was made under."""

CREATION = f"{OWN_PREFIX}creation"
"""Annotation on a DaskCluster: a word drawn by the client that created it, which so knows its own again even if the
answer to its request was lost."""

HEARTBEAT = f"{OWN_PREFIX}heartbeat"
"""Annotation on a DaskCluster: rewritten with another value, the time in RFC 3339, for as long as its client lives."""

TIME_TO_LIVE = f"{OWN_PREFIX}time-to-live"
"""Annotation on a DaskCluster: seconds for which :data:`HEARTBEAT` may stay the same before the operator deletes the
cluster. A cluster without it is never missed."""

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
"""Annotation that keeps the node autoscaler from moving a Pod."""

FOREIGN_PREFIXES = (
    "kopf.zalando.org",
    "kubectl.kubernetes.io",
    "meta.helm.sh",
    "helm.sh",
    "argocd.argoproj.io",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/instance",
    OWN_PREFIX,
)
"""Metadata of tools and of this operator that says something about one object only: never handed down."""
