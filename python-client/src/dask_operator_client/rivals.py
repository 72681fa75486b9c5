"""Telling that an autoscaler of somebody else's decides the number of a group's workers, in one sentence. Pure."""

from collections.abc import Iterable

from dask_operator_api import names
from dask_operator_api.manifests import Manifest, section


def of_group(autoscalers: Iterable[Manifest], cluster: str, group: str) -> list[Manifest]:
    """The DaskAutoscalers of a worker group, given by its full name; the first is the one that decides.

    >>> found = [{"metadata": {"name": "a"}, "spec": {"cluster": "c", "workerGroup": "c-gpu"}},
    ...          {"metadata": {"name": "b"}, "spec": {"cluster": "c"}}]
    >>> [item["metadata"]["name"] for item in of_group(found, "c", "c-default")]
    ['b']
    """
    found = [
        item
        for item in autoscalers
        if not section(item, "metadata").get("deletionTimestamp")
        and section(item, "spec").get("cluster") == cluster
        and (section(item, "spec").get("workerGroup") or names.default_group_name(cluster)) == group
    ]
    return sorted(
        found, key=lambda item: (str(section(item, "metadata").get("creationTimestamp")), _name(item))
    )


def after_scaling(group: str, autoscalers: Iterable[Manifest]) -> str:
    """What to say after a group was scaled that has autoscalers still. Empty where none of them changes anything.

    >>> after_scaling("c-default", [{"metadata": {"name": "mine"}, "spec": {"cluster": "c"}}])
    'The DaskAutoscaler mine goes on deciding the number of workers of c-default: delete it, or set its spec.suspend.'
    >>> after_scaling("c-default", [{"metadata": {"name": "mine"}, "spec": {"cluster": "c", "suspend": True}}])
    ''
    """
    for item in autoscalers:
        spec = section(item, "spec")
        if not spec.get("suspend") and not spec.get("dryRun"):
            return (
                f"The DaskAutoscaler {_name(item)} goes on deciding the number of workers of {group}: "
                "delete it, or set its spec.suspend."
            )
    return ""


def after_adapting(own: str, group: str, autoscalers: Iterable[Manifest]) -> str:
    """What to say after the autoscaler ``own`` of a group got its bounds. Empty where it is the one that decides.

    >>> after_adapting("c", "c-default", [{"metadata": {"name": "mine"}}, {"metadata": {"name": "c"}}])
    'The DaskAutoscaler mine, which is older, decides how many workers c-default has: delete it to have these bounds.'
    """
    first = next(iter(autoscalers), None)
    if first is None or _name(first) == own:
        return ""
    return (
        f"The DaskAutoscaler {_name(first)}, which is older, decides how many workers {group} has: "
        "delete it to have these bounds."
    )


def _name(item: Manifest) -> str:
    return str(section(item, "metadata").get("name") or "")
