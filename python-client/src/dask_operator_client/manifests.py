"""The custom resources that keywords stand for, and how an existing one compares. Pure."""

from collections.abc import Mapping
from typing import Any

from dask_operator_api import labels
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest, section

from dask_operator_client.errors import ClusterDiffers
from dask_operator_client.keywords import Keywords
from dask_operator_client.layers import CLUSTER, GROUP, laid
from dask_operator_client.podpatch import laid_over


def cluster_manifest(name: str, namespace: str, keywords: Keywords) -> Manifest:
    """The DaskCluster for the keywords, in its shortest form, or laid over the user's own.

    >>> cluster_manifest("c", "default", Keywords.checked(n_workers=3))["spec"]
    {'worker': {'replicas': 3}}
    """
    custom = keywords.custom or {}
    spec = laid(section(custom, "spec"), keywords.said, CLUSTER)
    metadata = {**section(custom, "metadata"), "name": name, "namespace": namespace}
    return {**_object(Kind.CLUSTER, name, namespace, spec), "metadata": metadata}


def group_manifest(
    cluster: str, group: str, namespace: str, keywords: Keywords, like: Mapping[str, Any] | None = None
) -> Manifest:
    """The DaskWorkerGroup with the full name ``group`` for the keywords.

    ``like`` is what it is like in everything else: the ``worker`` of its cluster's spec. The number of workers is
    never taken from there.

    >>> group_manifest("c", "c-big", "default", Keywords.checked(n_workers=2, image="dask:1"))["spec"]
    {'worker': {'replicas': 2, 'image': 'dask:1'}, 'cluster': 'c'}
    """
    base = keywords.custom if keywords.custom is not None else dict(like or {})
    kept = {
        key: value
        for key, value in base.items()
        if keywords.custom is not None or key not in ("replicas", "cluster")
    }
    spec = laid({labels.WORKER: kept}, keywords.said, GROUP)
    return _object(Kind.WORKER_GROUP, group, namespace, {**spec, "cluster": cluster})


def autoscaler_manifest(cluster: str, namespace: str, minimum: int, maximum: int) -> Manifest:
    """The DaskAutoscaler of a cluster."""
    spec = {"cluster": cluster, "minimum": minimum, "maximum": maximum}
    return _object(Kind.AUTOSCALER, cluster, namespace, spec)


def check_alike(keywords: Keywords, time_to_live: float | None, body: Manifest) -> None:
    """Compare a cluster that was found with what was asked for.

    Raises:
        ClusterDiffers: it is not like that.
    """
    found = differences(keywords, body)
    metadata = section(body, "metadata")
    if time_to_live is not None:  # it is a promise of whoever created it
        found["time_to_live"] = (time_to_live, section(metadata, "annotations").get(labels.TIME_TO_LIVE))
    if found:
        told = "; ".join(
            f"{key}: asked for {asked!r}, it has {held!r}" for key, (asked, held) in found.items()
        )
        raise ClusterDiffers(
            f"there is a cluster {metadata.get('name')} in the namespace {metadata.get('namespace')} already, and it "
            f"is not like the keywords: {told}. Leave these keywords out to use it, or choose another name",
            tuple(found),
        )


def differences(keywords: Keywords, existing: Manifest) -> dict[str, tuple[Any, Any]]:
    """The keywords that an existing DaskCluster does not match: what was asked, and what the cluster has.

    A keyword matches if laying it over the cluster changes nothing: a value may stand in the short form or in a Pod
    template. The number of workers is the one that the cluster was described with: scaling its groups is no difference.
    """
    spec = section(existing, "spec")
    custom = section(keywords.custom, "spec")
    found: dict[str, tuple[Any, Any]] = {}
    if _same(laid(laid_over(spec, custom), keywords.said, CLUSTER), spec):
        return found
    base = laid_over(spec, custom)
    if not _same(laid(base, keywords.said, CLUSTER), laid(spec, keywords.said, CLUSTER)):
        found["custom_cluster_spec"] = first_change(spec, base)
    for keyword, value in keywords.said.items():
        wanted = laid(spec, {keyword: value}, CLUSTER)
        if not _same(wanted, spec):
            found[keyword] = first_change(spec, wanted)
    return found


def first_change(before: Any, after: Any) -> tuple[Any, Any]:
    """The smallest part that differs, as (after, before).

    >>> first_change({"a": 1, "worker": {"replicas": 2}}, {"a": 1, "worker": {"replicas": 3}})
    (3, 2)
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = [key for key in after if not _same(before.get(key), after[key])]
        if len(changed) == 1:
            return first_change(before.get(changed[0]), after[changed[0]])
    return after, before


def _same(one: Any, other: Any) -> bool:
    """Whether two parts say the same: an empty or null part is as good as none, and 2 is as good as "2"."""
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        left, right = dict(one or {}), dict(other or {})
        return all(_same(left.get(key), right.get(key)) for key in left.keys() | right.keys())
    if isinstance(one, list) or isinstance(other, list):
        left_items, right_items = list(one or ()), list(other or ())
        return len(left_items) == len(right_items) and all(map(_same, left_items, right_items))
    if one is None or other is None:
        return one is other
    return one == other if isinstance(one, bool) or isinstance(other, bool) else str(one) == str(other)


def _object(kind: Kind, name: str, namespace: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
