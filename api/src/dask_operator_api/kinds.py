"""The four custom resources: their API group, version, kinds and plural names."""

from enum import StrEnum

GROUP = "kubernetes.dask.org"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"


class Kind(StrEnum):
    """A kind of the API group :data:`GROUP`."""

    CLUSTER = "DaskCluster"
    WORKER_GROUP = "DaskWorkerGroup"
    JOB = "DaskJob"
    AUTOSCALER = "DaskAutoscaler"

    @property
    def plural(self) -> str:
        """The resource name in URLs and RBAC rules, for example ``daskclusters``."""
        return f"{self.value.lower()}s"
