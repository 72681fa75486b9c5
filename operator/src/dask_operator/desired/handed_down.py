"""Labels and annotations that go from an object to what is made from it, and how a change of them follows."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dask_operator_api import labels
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata

from dask_operator.desired.digests import digest

_RESERVED = (labels.CLUSTER_NAME, labels.COMPONENT, labels.WORKER_GROUP_NAME)


def inherited(metadata: Metadata) -> Metadata:
    """What a child inherits of an object's metadata: all but what tools and this operator wrote."""
    return Metadata(_without_foreign(metadata.labels), _without_foreign(metadata.annotations))


@dataclass(frozen=True)
class HandedDown:
    """The part of an object's metadata that comes from the user, and which keys of its spec do.

    It is stamped on the object, values aside, so that a key which the user takes away is taken away there too.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: tuple[str, ...] = ()

    @classmethod
    def of(cls, *layers: Metadata, spec: Iterable[str] = ()) -> "HandedDown":
        """The union of ``layers``, of which later ones win."""
        names: dict[str, str] = {}
        notes: dict[str, str] = {}
        for layer in layers:
            names |= _without_reserved(layer.labels)
            notes |= _without_reserved(layer.annotations)
        return cls(names, notes, tuple(sorted(spec)))

    @property
    def stamp(self) -> str:
        """What is stamped on the object; empty where nothing was handed down."""
        if not (self.labels or self.annotations or self.spec):
            return ""
        said = {
            "digest": digest(labels=dict(self.labels), annotations=dict(self.annotations)),
            "labels": sorted(self.labels),
            "annotations": sorted(self.annotations),
            "spec": list(self.spec),
        }
        return json.dumps({key: value for key, value in said.items() if value}, separators=(",", ":"))

    def with_fixed(self, fixed: Metadata) -> Manifest:
        """``metadata`` of a new object: this, under what is ours."""
        stamp = {labels.HANDED_DOWN: self.stamp} if self.stamp else {}
        return {
            "labels": {**self.labels, **fixed.labels},
            "annotations": {**self.annotations, **stamp, **fixed.annotations},
        }

    def patch(self, held: str) -> Manifest | None:
        """The merge patch of ``metadata`` that brings an object stamped ``held`` up to date; None if it is."""
        if held == self.stamp:
            return None
        before = parsed(held)
        stamp = {labels.HANDED_DOWN: self.stamp or None}
        return {
            "labels": {**_taken_away(before, "labels", self.labels), **self.labels},
            "annotations": {
                **_taken_away(before, "annotations", self.annotations),
                **self.annotations,
                **stamp,
            },
        }

    def spec_taken_away(self, held: str) -> dict[str, None]:
        """The keys of ``spec`` that an object stamped ``held`` has from the user, who has taken them away since."""
        return _taken_away(parsed(held), "spec", dict.fromkeys(self.spec, ""))


def parsed(stamp: str) -> Mapping[str, object]:
    """A stamp's content; empty where there is none, or somebody has spoilt it."""
    try:
        said = json.loads(stamp or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _taken_away(before: Mapping[str, object], part: str, now: Mapping[str, str]) -> dict[str, None]:
    keys = before.get(part)
    return {str(key): None for key in keys if key not in now} if isinstance(keys, list) else {}


def _without_foreign(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if not _is_foreign(key)}


def _without_reserved(values: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in values.items()
        if key not in _RESERVED and not key.startswith(labels.OWN_PREFIX)
    }


def _is_foreign(key: str) -> bool:
    return any(
        key == prefix or key.startswith((f"{prefix.rstrip('/')}/", f"{prefix}."))
        for prefix in labels.FOREIGN_PREFIXES
    )
