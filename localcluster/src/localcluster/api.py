"""The one module that talks to the API server: plain JSON over HTTPS, as the administrator."""

import http.client
import json
import ssl
from typing import cast

from localcluster import pki
from localcluster.settings import API_PORT
from localcluster.shell import LocalClusterError

LIMIT = 10.0
"""Seconds that one call may take."""

Object = dict[str, object]


class ApiError(LocalClusterError):
    """The API server said no. `status` is the HTTP status, 0 when it could not be reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"API server: {message} ({status})")
        self.status = status


def call(method: str, path: str, body: Object | None = None) -> Object:
    """One call. Raises ApiError for any answer but success."""
    context = ssl.create_default_context(cafile=str(pki.file("ca.crt")))
    context.load_cert_chain(pki.file("admin.crt"), pki.file("admin.key"))
    connection = http.client.HTTPSConnection("127.0.0.1", API_PORT, timeout=LIMIT, context=context)
    try:
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = _object(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise ApiError(0, f"{method} {path}: {error}") from error
    finally:
        connection.close()
    if response.status >= 300:
        raise ApiError(response.status, f"{method} {path}: {answer.get('message', response.reason)}")
    return answer


def _object(content: bytes) -> Object:
    try:
        decoded = json.loads(content)
    except ValueError:
        return {"message": content.decode(errors="replace")}
    return cast(Object, decoded) if isinstance(decoded, dict) else {"message": str(decoded)}


def exists(path: str) -> bool:
    """Whether an object is there; no when the API server cannot be reached."""
    try:
        call("GET", path)
    except ApiError:
        return False
    return True


def nodes() -> dict[str, bool]:
    """Every node's name, and whether it is Ready. Raises ApiError."""
    items = cast(list[dict[str, dict[str, object]]], call("GET", "/api/v1/nodes")["items"])
    return {str(item["metadata"]["name"]): is_ready(item) for item in items}


def is_ready(item: dict[str, dict[str, object]]) -> bool:
    """Whether an object's Ready condition is True. Pure."""
    conditions = cast(list[dict[str, str]], item.get("status", {}).get("conditions") or [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
