"""How many calls to the API server one Dask cluster costs the operator, from the API server's own audit log."""

import json
from collections import Counter
from collections.abc import Iterator

from bench.cluster import BenchError, apply, kubectl, namespace, until
from localcluster import paths

ACCOUNT = "system:serviceaccount:dask-operator:dask-operator"
SMALL, LARGE = 2, 6


def run() -> Iterator[str]:
    """Calls for a cluster of 2 workers from its creation until all are connected, and for each further worker."""
    if not paths.audit_log().exists():
        raise BenchError(
            "the API server's audit log is needed: this benchmark runs on the local cluster only"
        )
    small, large = _calls(SMALL), _calls(LARGE)
    yield f"a cluster of {SMALL} workers: {_sum(small)} calls, {small['create events']} Events among them"
    yield f"a cluster of {LARGE} workers: {_sum(large)} calls, {large['create events']} Events among them"
    yield f"each further worker: {(_sum(large) - _sum(small)) / (LARGE - SMALL):.2f} calls"
    for call, number in sorted(small.items()):
        yield f"    {call}: {number}, {large[call]} with {LARGE} workers"


def _sum(calls: Counter[str]) -> int:
    return sum(calls.values())


def _calls(workers: int) -> Counter[str]:
    with namespace("bench-calls") as space:
        apply(space, _dask_cluster(workers))

        def connected() -> bool:
            path = "jsonpath={.status.workers.connected}/{.status.workers.ready}"
            return kubectl("get", "daskcluster", "calls", "-n", space, "-o", path) == f"{workers}/{workers}"

        until(f"{workers} workers connected", connected)
        return _of_operator(space)


def _dask_cluster(workers: int) -> dict[str, object]:
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": "calls"},
        "spec": {"worker": {"replicas": workers}},
    }


def _of_operator(space: str) -> Counter[str]:
    """Verb and resource of every call of the operator in a namespace."""
    calls: Counter[str] = Counter()
    with paths.audit_log().open() as log:
        for line in log:
            if space not in line:
                continue
            event = json.loads(line)
            target = event.get("objectRef", {})
            if event["user"]["username"] == ACCOUNT and target.get("namespace") == space:
                sub = f"/{target['subresource']}" if "subresource" in target else ""
                calls[f"{event['verb']} {target['resource']}{sub}"] += 1
    return calls
