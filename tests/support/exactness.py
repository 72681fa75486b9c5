"""Whether a cluster on fake nodes is exactly as it should be: a pure question about one namespace."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .kubectl import Tree
from .worlds import World

CLUSTER = "life"
DEFAULT = "life-default"
SCHEDULER = "life-scheduler"


@dataclass(frozen=True)
class Wanted:
    """How it should be after a step."""

    workers: dict[str, int]
    """Group → number of its Pods."""
    made: dict[str, int]
    """Group → number of Pods ever created for it."""
    greeting: str = ""
    """The value of ``GREETING`` in the environment of the default group's workers."""


def wrong(world: World, wanted: Wanted | None) -> list[str]:
    """What is not as it should be; with None as what is wanted, nothing should be there."""
    if wanted is None:
        left = {plural: sorted(held) for plural, held in world.objects.items() if held}
        return [f"left: {left}"] if left else []
    return [*_objects(world, wanted), *_owners(world), *_statuses(world, wanted), *_history(world, wanted)]


def late(world: World) -> list[str]:
    """Worker Pods that were created after their cluster was gone."""
    return [
        f"{made.name} was created after its cluster was gone"
        for made in world.made.values()
        if made.version > world.ended.get(made.cluster, made.version)
    ]


def _objects(world: World, wanted: Wanted) -> Iterator[str]:
    """Number and state of everything that there is."""
    expected = {
        "daskclusters": {CLUSTER},
        "daskworkergroups": set(wanted.workers),
        "services": {SCHEDULER},
    }
    for plural, names in expected.items():
        if set(world.objects[plural]) != names:
            yield f"{plural}: {sorted(world.objects[plural])}, and {sorted(names)} are wanted"
    numbers = Counter(
        _label(pod, "dask.org/workergroup-name") or _label(pod, "dask.org/component") for pod in world.pods
    )
    if numbers != {**wanted.workers, "scheduler": 1}:
        yield f"Pods: {dict(numbers)}, and {wanted.workers} and a scheduler are wanted"
    for pod in world.pods:
        name, phase = pod["metadata"]["name"], pod["status"].get("phase")
        if phase != "Running" or "deletionTimestamp" in pod["metadata"]:
            yield f"Pod {name} is {phase}"
        if _label(pod, "dask.org/workergroup-name") == DEFAULT and _greeting(pod) != wanted.greeting:
            yield f"Pod {name} has greeting {_greeting(pod)!r}"


def _owners(world: World) -> Iterator[str]:
    """Everything is controlled by an object that is there."""
    uids = {
        item["metadata"]["uid"]
        for plural in ("daskclusters", "daskworkergroups")
        for item in world.objects[plural].values()
    }
    for plural in ("daskworkergroups", "services", "pods"):
        for name, item in world.objects[plural].items():
            owners = [ref for ref in item["metadata"].get("ownerReferences", []) if ref.get("controller")]
            if len(owners) != 1 or owners[0]["uid"] not in uids:
                yield f"{plural} {name} is an orphan"


def _history(world: World, wanted: Wanted) -> Iterator[str]:
    """No number and no name was given twice, and no Pod was made that nobody asked for."""
    numbers = Counter((made.group, made.index) for made in world.made.values())
    names = Counter(made.name for made in world.made.values())
    twice = [str(item) for counts in (numbers, names) for item, many in counts.items() if many > 1]
    if twice:
        yield f"given twice: {', '.join(twice)}"
    made = Counter(made.group for made in world.made.values())
    if made != wanted.made:
        yield f"Pods ever made: {dict(made)}, and {wanted.made} are wanted"


def _statuses(world: World, wanted: Wanted) -> Iterator[str]:
    """Every status is true."""
    total = sum(wanted.workers.values())
    cluster = world.objects["daskclusters"].get(CLUSTER)
    if cluster is not None:
        true = ("Ready", "WorkersReady", "WorkersConnected")
        fields = _cluster_fields(world, wanted)
        yield from _status(cluster, fields, total, true)
    for name, number in wanted.workers.items():
        group = world.objects["daskworkergroups"].get(name)
        if group is not None:
            yield from _status(
                group, _group_fields(world, name, number), number, ("Ready", "WorkersConnected")
            )


def _cluster_fields(world: World, wanted: Wanted) -> Tree:
    scheduler = world.objects["pods"].get(SCHEDULER, {"metadata": {"uid": ""}})
    return {
        "phase": "Running",
        "replicas": wanted.workers[DEFAULT],
        "scheduler": {
            "podName": SCHEDULER,
            "podUID": scheduler["metadata"]["uid"],
            "containerRestarts": 0,
            "restarts": 0,
            "ready": True,
        },
    }


def _group_fields(world: World, name: str, number: int) -> Tree:
    highest = max((made.index for made in world.made.values() if made.group == name), default=0)
    return {
        "replicas": number,
        "readyReplicas": number,
        "updatedReplicas": number,
        "draining": [],
        "lastFailures": [],
        "lastWorkerIndex": highest,
        "unreachableSince": None,
    }


def _status(item: Tree, fields: Tree, workers: int, true: tuple[str, ...]) -> Iterator[str]:
    """How the status of a cluster or group differs from the truth."""
    what, status = f"{item['kind']} {item['metadata']['name']}", item.get("status", {})
    counts = {"desired": workers, "ready": workers, "connected": workers, "summary": f"{workers}/{workers}"}
    expected = {"observedGeneration": item["metadata"]["generation"], "workers": counts, **fields}
    for field, value in expected.items():
        if not _agrees(status.get(field), value):
            yield f"{what}: status.{field} is {status.get(field)}, and {value} is true"
    for condition in status.get("conditions", []):
        word = "True" if condition["type"] in true else "False"
        if condition["status"] != word:
            yield f"{what}: {condition['type']} is {condition['status']}: {condition.get('message', '')}"
        if condition["observedGeneration"] != item["metadata"]["generation"]:
            yield f"{what}: {condition['type']} is of generation {condition['observedGeneration']}"
    missing = set(true) - {condition["type"] for condition in status.get("conditions", [])}
    if missing:
        yield f"{what}: there is no condition {', '.join(sorted(missing))}"


def _agrees(held: object, true: object) -> bool:
    """Whether a field of a status is as it should be; what more a mapping holds is not looked at."""
    if isinstance(held, dict) and isinstance(true, dict):
        return all(held.get(key) == value for key, value in true.items())
    return held == true


def _label(item: Tree, key: str) -> str:
    return str(item["metadata"].get("labels", {}).get(key, ""))


def _greeting(pod: Tree) -> str:
    variables = pod["spec"]["containers"][0].get("env", [])
    return next((str(v.get("value", "")) for v in variables if v["name"] == "GREETING"), "")
