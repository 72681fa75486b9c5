"""What the API server's answers mean: an object, a line of a watch, or one of the kinds of failure."""

import json
import re
from dataclasses import dataclass
from typing import Any

from dask_operator_api.answers import message_in
from dask_operator_api.manifests import Manifest

from dask_operator.errors import ApiError, Conflict, NotFound, Refused, TryAgain, Uncertain

_UNAUTHORIZED = re.compile(r' is forbidden: User "[^"]*" cannot ')
"""How RBAC refuses, and nobody else. Rights are looked at before anything else is done, but an API server that has just
been started knows of none for a moment (seen: a second). So it is worth another try."""


@dataclass(frozen=True)
class Change:
    """What a watch tells."""

    type: str
    """ADDED, MODIFIED, DELETED, or BOOKMARK: nothing has changed up to the version in the metadata."""
    body: Manifest


def change_in(line: bytes) -> Change:
    """A line of a watch.

    Raises:
        ApiError: it tells of an error instead, as that the version to go on from is too old.
    """
    told = object_in(line)
    body = told.get("object") or {}
    if told.get("type") == "ERROR":
        raise TryAgain(str(body.get("message") or body))
    return Change(str(told["type"]), body)


def checked(verb: str, status: int, headers: dict[str, Any], text: bytes) -> bytes:
    """The body of an answer.

    Raises:
        ApiError: it is an error.
    """
    if 200 <= status < 300:
        return text
    raise _error(verb, status, {key.lower(): value for key, value in headers.items()}, text)


def object_in(text: bytes) -> Manifest:
    """The object in an answer.

    Raises:
        Uncertain: it cannot be read.
    """
    try:
        answer: Manifest = json.loads(text)
    except ValueError as error:
        raise Uncertain(f"the API server's answer cannot be read: {error}") from error
    return answer


def _error(verb: str, status: int, headers: dict[str, Any], text: bytes) -> ApiError:
    message = message_in(status, text)
    if status == 404:
        return NotFound(message)
    if status == 409:
        return Conflict(message)
    if status == 403 and _UNAUTHORIZED.search(message):
        return TryAgain(message)
    if status in (500, 504) and verb != "GET":
        return Uncertain(message)  # etcd may have got it although its answer was lost
    if status == 410 or status == 429 or status >= 500 or status == 401 or status == 408:
        after = str(headers.get("retry-after", ""))
        return TryAgain(message, float(after) if after.isdigit() else None)
    return Refused(message, status)
