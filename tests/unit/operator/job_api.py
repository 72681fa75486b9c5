"""An API server in memory, for the simulation of jobs: what must never be asked of it is asserted where it is asked."""

import copy
from typing import Any, Protocol

from dask_operator.api_server.kube import Listing
from dask_operator.errors import Conflict, NotFound, Refused, Uncertain
from dask_operator.intake import is_watched
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, section
from dask_operator_api.times import rfc3339

from tests.unit.operator.operating import Crash


class Watcher(Protocol):
    """Looks at what is asked of the API server."""

    def wall(self) -> float: ...

    def end(self, kind: str, name: str) -> None: ...

    def check_create(self, kind: str, body: Manifest) -> None: ...

    def check_delete(self, kind: str, body: Manifest) -> None: ...

    def check_patch(self, kind: str, body: Manifest) -> None: ...

    def check_status(self, before: Manifest, after: Manifest) -> None: ...


class FakeKube:
    """An API server: objects by kind and name, and the events that a watch would tell."""

    def __init__(self, world: Watcher) -> None:
        self._world = world
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.events: list[tuple[str, Manifest]] = []
        self.version = 10
        self.uids = 0
        self.crash_after: int | None = None
        self.timeouts: list[bool] = []
        """For the next writes that time out: whether each takes effect."""
        self.refused: set[tuple[str, str]] = set()
        """Verb and kind of the writes that are refused as invalid."""

    def put(self, kind: str, body: Manifest) -> Manifest:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[(kind, body["metadata"]["name"])] = body
        self.events.append(("MODIFIED", copy.deepcopy(body)))
        return copy.deepcopy(body)

    def drop(self, kind: str, name: str) -> None:
        body = self.objects.pop((kind, name), None)
        if body is None:
            return
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.events.append(("DELETED", body))

    def of_kind(self, kind: str) -> list[Manifest]:
        return [body for (of, _), body in self.objects.items() if of == kind]

    def make(self, kind: str, body: Manifest) -> Manifest:
        self.uids += 1
        made = copy.deepcopy(body)
        made["kind"] = kind
        made["metadata"] |= {"uid": f"uid-{self.uids}", "creationTimestamp": rfc3339(self._world.wall())}
        return self.put(kind, made)

    async def list_all(
        self, kind: str, selector: str = "", namespace: str | None = None
    ) -> Listing[Manifest]:
        self._one_call()
        found = [copy.deepcopy(body) for body in self.of_kind(kind) if is_watched(kind, body)]
        return Listing(found, self.version)

    def _one_call(self) -> None:
        if self.crash_after is None:
            return
        self.crash_after -= 1
        if self.crash_after < 0:
            self.crash_after = None
            raise Crash

    def _write(self, verb: str, kind: str) -> bool:
        """Count a write; gives whether its answer gets lost."""
        self._one_call()
        if (verb, kind) in self.refused:
            raise Refused("it is invalid", 422, kind)
        outcome = self.timeouts.pop() if self.timeouts else None
        if outcome is False:
            raise Uncertain("timed out")
        return outcome is True

    async def get(self, kind: str, namespace: str, name: str) -> Manifest:
        self._one_call()
        if (kind, name) not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[(kind, name)])

    async def create(self, kind: str, body: Manifest) -> Manifest:
        lost = self._write("create", kind)
        if (kind, body["metadata"]["name"]) in self.objects:
            raise Conflict("already exists")
        self._world.check_create(kind, body)
        answer = self.make(kind, body)
        if lost:
            raise Uncertain("timed out")
        return answer

    async def patch(
        self, kind: str, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        lost = self._write("patch", kind)
        held = self.objects.get((kind, name))
        if held is None:
            raise NotFound(name)
        for key in ("uid", "resourceVersion"):
            if body["metadata"].get(key, held["metadata"].get(key)) != held["metadata"].get(key):
                raise Conflict(f"{key} differs")
        self._world.check_patch(kind, held)
        changed = copy.deepcopy(held)
        part = subresource or "spec"
        changed[part] = merged(section(held, part), section(body, part))
        if kind == Kind.JOB:
            self._world.check_status(section(held, "status"), section(changed, "status"))
        answer = copy.deepcopy(held) if changed == held else self.put(kind, changed)
        if lost:
            raise Uncertain("timed out")
        return answer

    async def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool) -> str:
        self._one_call()
        return "the last line"

    async def delete(
        self, kind: str, namespace: str, name: str, uid: str, at_once: bool = False
    ) -> Manifest | None:
        lost = self._write("delete", kind)
        body = self.objects.get((kind, name))
        if body is not None and body["metadata"]["uid"] == uid:
            self._world.check_delete(kind, body)
            self._world.end(kind, name)
        if lost:
            raise Uncertain("timed out")
        return None


def merged(held: Any, patch: Any) -> Any:
    """What a JSON merge patch makes of a value: mappings are merged all the way down, and nulls take keys away."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    base = dict(held) if isinstance(held, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value)
    return base
