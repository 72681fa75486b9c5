"""What can go wrong with one call to the API server."""

import json
from enum import Enum

from .api_calls import Call, Point
from .kubectl import Tree


class Fault(Enum):
    """One way to break a call."""

    CONFLICT = "answered 409"
    TOO_MANY = "answered 429 with Retry-After: 1"
    SERVER_ERROR = "answered 500"
    TIMEOUT = "carried out, never answered"
    CUT_BEFORE = "cut before it was carried out"
    CUT_AFTER = "carried out, cut before the answer"

    @property
    def is_carried_out(self) -> bool:
        """Whether the API server gets the call."""
        return self in (Fault.TIMEOUT, Fault.CUT_AFTER)


def faults_of(point: Point) -> tuple[Fault, ...]:
    """The faults that such a call can have: a read is never answered 409, and has no effect to be unsure of."""
    if point.is_write:
        return tuple(Fault)
    return (Fault.TOO_MANY, Fault.SERVER_ERROR, Fault.TIMEOUT, Fault.CUT_BEFORE)


def refusal(call: Call, fault: Fault) -> tuple[int, dict[str, str], bytes]:
    """HTTP status, headers and body as the API server writes them."""
    group = "kubernetes.dask.org" if call.point.resource.startswith("dask") else ""
    resource = call.point.resource.partition("/")[0]
    what = f'{resource}{"." if group else ""}{group} "{call.name}"'
    details = {"name": call.name, "group": group, "kind": resource}
    if fault is Fault.TOO_MANY:
        message = "the server has received too many requests and has asked us to try again later"
        return _status(429, "TooManyRequests", message, {**details, "retryAfterSeconds": 1})
    if fault is Fault.SERVER_ERROR:
        message = "Internal error occurred: etcdserver: request timed out"
        return _status(500, "InternalError", message, details)
    if call.point.verb == "create":
        return _status(409, "AlreadyExists", f"{what} already exists", details)
    message = (
        f"Operation cannot be fulfilled on {what}: the object has been modified; "
        "please apply your changes to the latest version and try again"
    )
    return _status(409, "Conflict", message, details)


def gone() -> Tree:
    """The Status that says that a resourceVersion or a continue token is too old."""
    return _body(410, "Expired", "The provided continue parameter is too old", {})


def _status(code: int, reason: str, message: str, details: Tree) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json"}
    if "retryAfterSeconds" in details:
        headers["Retry-After"] = str(details["retryAfterSeconds"])
    return code, headers, json.dumps(_body(code, reason, message, details)).encode()


def _body(code: int, reason: str, message: str, details: Tree) -> Tree:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
