"""What the operator must be allowed to do, and what of it is missing."""

from collections.abc import Iterable
from typing import NamedTuple

from dask_operator_api.kinds import GROUP
from dask_operator_api.manifests import Manifest

CLAIM = "kubernetes.dask.org"
"""The name of the Lease by which a release claims its scope: see :mod:`dask_operator.scope.claims`."""


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    """With its subresource, if it is about one: ``pods/log``."""
    verb: str
    name: str = ""
    """The only object that it is about; empty for all."""

    def attributes(self, namespace: str) -> Manifest:
        """This right as a SelfSubjectAccessReview asks for it; an empty ``namespace`` means all of them."""
        resource, _, subresource = self.resource.partition("/")
        asked = {"namespace": namespace, "verb": self.verb, "group": self.group, "resource": resource}
        return {**asked, **({"subresource": subresource} if subresource else {}), "name": self.name}


def _rights(group: str, resources: str, verbs: str, name: str = "") -> tuple[Right, ...]:
    return tuple(
        Right(group, resource, verb, name) for resource in resources.split() for verb in verbs.split()
    )


NEEDED: tuple[Right, ...] = (
    *_rights(GROUP, "daskclusters daskworkergroups", "get list watch create patch delete"),
    *_rights(GROUP, "daskautoscalers", "list watch create patch delete"),
    *_rights(GROUP, "daskjobs", "list watch patch delete"),
    *_rights(GROUP, "daskclusters/status daskworkergroups/status daskjobs/status", "patch"),
    *_rights("", "pods", "get list watch create patch delete"),
    *_rights("", "pods/log", "get"),
    *_rights("", "services", "get list watch create patch"),
    *_rights("policy", "poddisruptionbudgets", "get list watch create delete"),
    *_rights("", "events", "list create patch"),
    *_rights("apps", "deployments", "list delete"),
)
"""In every namespace that the operator looks after; see :func:`needed`."""

WITHOUT_AUTOSCALER: tuple[Right, ...] = _rights(GROUP, "daskautoscalers/status", "patch")
"""There too, where the release has no autoscaler: the operator says so."""

OF_LEASE = "coordination.k8s.io"


def needed(autoscaling: bool) -> tuple[Right, ...]:
    """In every namespace that is looked after, by a release with an autoscaler or without."""
    return NEEDED if autoscaling else (*NEEDED, *WITHOUT_AUTOSCALER)


def for_claims() -> tuple[Right, ...]:
    """In every namespace that a release claims."""
    return _rights(OF_LEASE, "leases", "get patch", CLAIM)


def for_leading(release: str) -> tuple[Right, ...]:
    """In the release's own namespace."""
    return _rights(OF_LEASE, "leases", "get patch", release)


EVERYWHERE: tuple[Right, ...] = _rights(OF_LEASE, "leases", "list", CLAIM)
"""In all namespaces, of an operator that looks after all: it must see who else claims some."""


def missing(rules: Iterable[Manifest], needed: Iterable[Right]) -> tuple[Right, ...]:
    """The rights that no rule of a SelfSubjectRulesReview gives."""
    rules = tuple(rules)
    return tuple(right for right in needed if not any(_gives(rule, right) for rule in rules))


def _gives(rule: Manifest, right: Right) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("verbs"), right.verb)
        and _has(rule.get("apiGroups"), right.group)
        and _has(rule.get("resources"), right.resource)
        and (not names or right.name in names)
    )


def _has(listed: Iterable[str] | None, wanted: str) -> bool:
    return wanted in (held := tuple(listed or ())) or "*" in held


def in_words(rights: Iterable[Right]) -> str:
    """Rights for one line of a log: ``pods: list, watch; leases.coordination.k8s.io: get``."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        resource, slash, subresource = right.resource.partition("/")
        group = f".{right.group}" if right.group else ""
        only = f" {right.name!r}" if right.name else ""
        verbs.setdefault(f"{resource}{group}{slash}{subresource}{only}", []).append(right.verb)
    return "; ".join(f"{resource}: {', '.join(held)}" for resource, held in verbs.items())
