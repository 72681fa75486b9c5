"""Finding the DaskClusters that there are, for programs that list clusters of every kind."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from dask_operator_api.kinds import Kind

from dask_operator_client.cluster import KubeCluster
from dask_operator_client.errors import ClusterError, RequestRefused


async def discover() -> AsyncIterator[tuple[str, Callable[..., Any]]]:
    """The name of each DaskCluster that can be seen, and the class whose ``from_name`` connects to it.

    Gives none where there is no Kubernetes, and those of one namespace where the others may not be seen.

    Example:
        >>> async def found():
        ...     return [name async for name, _ in discover()]
        >>> "my-cluster" in asyncio.run(found())
        True
    """
    from dask_operator_client.kube import Kube  # takes a while to import

    try:
        kube = await Kube.connect()
    except ClusterError:
        return
    try:
        for body in await _seen(kube):
            yield body["metadata"]["name"], KubeCluster
    except ClusterError:
        return
    finally:
        await kube.close()


async def _seen(kube: Any) -> Any:
    try:
        return await kube.all_of(Kind.CLUSTER, None)
    except RequestRefused:
        return await kube.all_of(Kind.CLUSTER, kube.namespace)
