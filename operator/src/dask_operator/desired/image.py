"""The image of a cluster: one for the scheduler and all workers whose template names none."""

from dataclasses import dataclass

from dask_operator.observed import ClusterView, PodView


@dataclass(frozen=True)
class Image:
    """The image in force."""

    name: str
    written: str
    """The same if the user wrote it; empty where it is the install's default."""


def default_image(cluster: ClusterView, scheduler: PodView | None, of_install: str) -> str:
    """The image where the user names none: the install's default when the cluster was created, and kept.

    It is kept on the first scheduler Pod, and in the status from when that is written.
    """
    made_under = scheduler.default_image if scheduler is not None and _is_of(scheduler, cluster) else ""
    return str(cluster.status.get("defaultImage") or made_under or of_install)


def image_in_force(cluster: ClusterView, scheduler: PodView | None, of_install: str) -> Image:
    """The image for templates that name none.

    An edited one comes into force with the next scheduler: workers of another version than their scheduler's often
    cannot talk to it.
    """
    keeps = scheduler is not None and _is_of(scheduler, cluster) and scheduler.alive
    written = scheduler.cluster_image if keeps and scheduler is not None else cluster.spec.image or ""
    return Image(written or default_image(cluster, scheduler, of_install), written)


def _is_of(scheduler: PodView, cluster: ClusterView) -> bool:
    return scheduler.owner == cluster.uid
