"""Name rules, and the name of every child object."""

import hashlib
import re

CLUSTER_NAME_MAX = 53
"""Longest cluster name: ``<name>-scheduler`` must be a DNS label of at most 63 characters."""

WORKER_GROUP_NAME_MAX = 63
"""Longest group name: it is the value of a label."""

_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def cluster_name_problem(name: str) -> str | None:
    """What is wrong with ``name`` as the name of a DaskCluster, and the remedy; None if nothing is."""
    return _problem(name, CLUSTER_NAME_MAX)


def worker_group_name_problem(name: str) -> str | None:
    """What is wrong with ``name`` as the name of a DaskWorkerGroup, and the remedy; None if nothing is."""
    return _problem(name, WORKER_GROUP_NAME_MAX)


def _problem(name: str, longest: int) -> str | None:
    if len(name) > longest:
        return f"name {name!r} has {len(name)} characters: use at most {longest}"
    if not _DNS_LABEL.fullmatch(name):
        return f"name {name!r} must start with a letter and have only a-z, 0-9 and '-' in it, no dots"
    return None


def scheduler_name(cluster: str) -> str:
    """The name of the scheduler Pod of a cluster, and of the Service in front of it."""
    return f"{cluster}-scheduler"


def default_group_name(cluster: str) -> str:
    """The name of the worker group that each cluster has."""
    return f"{cluster}-default"


def worker_pod_name(group: str, group_uid: str, index: int) -> str:
    """The name of worker number ``index`` of the group with uid ``group_uid``.

    The same worker always gets the same name, so a create that is sent twice makes one Pod; another group of
    the same name gets other names, so a scheduler never meets one name twice.
    """
    digest = hashlib.sha256(f"{group_uid}/{index}".encode()).hexdigest()
    return f"{group}-worker-{digest[:10]}"


def runner_name(job: str, attempt: int = 1) -> str:
    """The name of the Pod that runs the program of a DaskJob in its attempt of that number."""
    return f"{job}-runner" if attempt == 1 else f"{job}-runner-{attempt}"


def extra_group_name(cluster: str, name: str) -> str:
    """The name of the worker group that ``spec.workerGroups`` of a cluster calls ``name``."""
    return f"{cluster}-{name}"


def scheduler_host(cluster: str, namespace: str) -> str:
    """The scheduler Service's host name, resolvable in any cluster whatever its DNS domain is."""
    return f"{scheduler_name(cluster)}.{namespace}.svc"
