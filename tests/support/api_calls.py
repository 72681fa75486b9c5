"""What a call to the API server is about, in words that are the same in every run of one scenario."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>.+))?"
)
_WORKER = re.compile(r"(.+)-worker-[0-9a-f]{10}")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}

WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True, order=True)
class Point:
    """One call of a scenario: the ``nth`` of its kind in a namespace, counted from 1."""

    verb: str
    resource: str
    """The plural, with ``/subresource``."""
    role: str
    """Which object: its name where that is the same in every run, else what it is."""
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} ({self.role}) #{self.nth}"

    @property
    def is_write(self) -> bool:
        """Whether the call changes anything."""
        return self.verb in WRITES

    def numbered(self, nth: int) -> "Point":
        """The ``nth`` call of this kind."""
        return replace(self, nth=nth)


@dataclass(frozen=True)
class Call:
    """A call to the API server."""

    namespace: str
    """Empty for the whole cluster."""
    name: str
    """Of the object; empty for a list, a watch or a deletecollection."""
    point: Point
    """Not numbered yet."""


def identify(method: str, url: str, body: bytes) -> Call | None:
    """What a call is about; None for what is no call about a resource, such as discovery."""
    split = urlsplit(url)
    match = _PATH.fullmatch(split.path)
    if match is None:
        return None
    sent = _parsed(body)
    query = {key: values[0] for key, values in parse_qs(split.query).items()}
    name = match["name"] or str(sent.get("metadata", {}).get("name") or "")
    resource = match["resource"] + (f"/{match['sub']}" if match["sub"] else "")
    verb = _verb(method, bool(match["name"]), query)
    role = event_role(sent) if resource == "events" and verb == "create" else _role(name, query)
    return Call(match["namespace"] or "", name, Point(verb, resource, role))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body) if body else {}
    except ValueError:
        return {}
    return sent if isinstance(sent, dict) else {}


def _verb(method: str, named: bool, query: dict[str, str]) -> str:
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return _VERBS.get(method, method.lower())


def _role(name: str, query: dict[str, str]) -> str:
    """A worker Pod's name holds a digest of its group's uid: it is named by its group."""
    if name:
        match = _WORKER.fullmatch(name)
        return f"worker of {match[1]}" if match else name
    selectors = [query[key] for key in ("labelSelector", "fieldSelector") if key in query]
    keys = re.findall(r"([\w./-]+)(?:==?|!=| in| notin|,|$)[^,]*", ",".join(selectors))
    return "all" + (" by " + ",".join(sorted(set(keys))) if keys else "")


def event_role(sent: dict[str, Any]) -> str:
    """The role of an Event: what has happened, and to which object."""
    about = sent.get("involvedObject", {})
    return f"{sent.get('reason', '')} of {_role(str(about.get('name', '')), {})}"
