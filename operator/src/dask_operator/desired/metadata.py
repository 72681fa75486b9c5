"""Labels, annotations, owners, digests: what all our objects have in common."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dask_operator_api import labels
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.observed import ClusterView, GroupView

OWNER_KINDS = {ClusterView: Kind.CLUSTER, GroupView: Kind.WORKER_GROUP}


def handed_down(values: Mapping[str, str]) -> dict[str, str]:
    """The labels or annotations that a child inherits: all but those of tools and those of this operator."""
    return {key: value for key, value in values.items() if not _is_foreign(key)}


def _is_foreign(key: str) -> bool:
    return any(
        key == prefix or key.startswith((f"{prefix.rstrip('/')}/", f"{prefix}."))
        for prefix in labels.FOREIGN_PREFIXES
    )


def layered(parent: Metadata, own: Metadata, fixed: Metadata) -> Manifest:
    """``metadata`` of a child: the parent's, under what the user wrote for the child, under what is ours."""
    return {
        "labels": {**handed_down(parent.labels), **own.labels, **fixed.labels},
        "annotations": {**handed_down(parent.annotations), **own.annotations, **fixed.annotations},
    }


def owner_reference(owner: ClusterView | GroupView) -> Manifest:
    """The reference that makes ``owner`` the controller of an object, so that it is deleted with it."""
    return {
        "apiVersion": API_VERSION,
        "kind": OWNER_KINDS[type(owner)].value,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }


def digest(*written: Any) -> str:
    """A short digest of what the user wrote: equal for equal JSON, whatever the order of keys."""
    text = json.dumps(written, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
