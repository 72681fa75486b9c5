"""Which release looks after which namespaces: decisions, without a call.

A release for some namespaces has a Lease of a fixed name in each of them, its claim, and writes itself into it before
it acts there. A release for all namespaces has one claim, in its own namespace, and tells everybody of itself by a rule
that every service account finds among its own rights. So neither needs a right in a place that is not its own:
the one sees the other's rule, the other lists the claims.
"""

from collections.abc import Iterable

from dask_operator_api.kinds import GROUP
from dask_operator_api.manifests import Manifest, section

MARKER_RESOURCE = "allnamespaces"
MARKER_VERB = "lookedafterby"


def holder(claim: Manifest) -> str:
    """The release that has written itself into a claim, as ``namespace/name``; empty if none has."""
    return str(section(claim, "spec").get("holderIdentity") or "")


def announced(rules: Iterable[Manifest]) -> set[str]:
    """The releases for all namespaces that the rules of a SelfSubjectRulesReview tell of."""
    found: set[str] = set()
    for rule in rules:
        if GROUP in (rule.get("apiGroups") or ()) and MARKER_RESOURCE in (rule.get("resources") or ()):
            found.update(rule.get("resourceNames") or ())
    return found


def rival_somewhere(me: str, claims: Iterable[Manifest]) -> str:
    """What a release for all namespaces has to say of another that was there first; empty if there is none."""
    others = sorted(
        (holder(claim), section(claim, "metadata").get("namespace", ""))
        for claim in claims
        if holder(claim) not in ("", me)
    )
    if not others:
        return ""
    name = others[0][0]
    where = ", ".join(space for other, space in others if other == name)
    return f"release {name} looks after Dask clusters in {where}, and this one would in all namespaces"


def rival_in(me: str, namespace: str, claim: Manifest, for_all: set[str]) -> str:
    """What a release for some namespaces has to say of another that was first in ``namespace``; empty if none was.

    Args:
        me: this release.
        namespace: one of its namespaces.
        claim: the claim in it.
        for_all: releases for all namespaces that there are.
    """
    held = holder(claim)
    if held not in ("", me):
        return f"release {held} looks after Dask clusters in {namespace}"
    others = sorted(for_all - {me})
    if others and held != me:
        return f"release {others[0]} looks after Dask clusters in all namespaces"
    return ""


def claimed(me: str, claim: Manifest) -> Manifest | None:
    """The patch that writes a release into its claim; None if it stands there."""
    if holder(claim) == me:
        return None
    version = section(claim, "metadata").get("resourceVersion", "")
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": me}}


REMEDY = (
    "Two operators must not look after the same namespace: change watchNamespaces of one of the releases, "
    "or uninstall one."
)
