"""How old the CustomResourceDefinitions in the cluster are: from the API server's OpenAPI document."""

import re
from collections.abc import Mapping

from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section

REMEDY = (
    "Upgrade them with `helm upgrade` of the release that installs them (crds.install=true); if another chart or "
    "kubectl made them, add --take-ownership --force-conflicts."
)

_MARK = re.compile(r"\(dask-operator (\d+)\.(\d+)\.(\d+)\)")

Version = tuple[int, ...]


def version_of(text: str) -> Version:
    """The numbers of a version such as ``1.2.3``, without what follows them."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def too_old(document: Manifest, version: str) -> str:
    """What is wrong with the definitions for an operator of ``version``; empty if they are new enough.

    The chart writes its version at the end of the description of each kind. One without it is by somebody else.
    """
    known = {
        meta["kind"]: schema
        for schema in section(document, "components", "schemas").values()
        for meta in schema.get("x-kubernetes-group-version-kind") or ()
    }
    worst = {kind.value: _complaint(known.get(kind.value), version_of(version)) for kind in Kind}
    told = sorted({complaint for complaint in worst.values() if complaint})
    if not told:
        return ""
    kinds = ", ".join(kind for kind, complaint in worst.items() if complaint)
    return (
        f"the CustomResourceDefinitions of {kinds} are older than this operator, {version}: {'; '.join(told)}"
    )


def _complaint(schema: Mapping[str, object] | None, wanted: Version) -> str:
    if schema is None:
        return "not installed"
    mark = _MARK.search(str(schema.get("description") or ""))
    if mark is None:
        return "without the version of a dask-operator chart"
    found = tuple(int(part) for part in mark.groups())
    return f"of version {'.'.join(map(str, found))}" if found < wanted else ""
