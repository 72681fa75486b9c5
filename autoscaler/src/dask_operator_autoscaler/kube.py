"""The one module that talks to the API server.

It reads three kinds, and writes two things: a number of workers (``/scale``) and the autoscaler's own status; beside
these, Events and the Lease. Every failure is one of the kinds in :mod:`dask_operator_autoscaler.errors`.
"""

import contextlib
import json
import math
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from dask_operator_api import sockets
from dask_operator_api.answers import lines, message_in
from dask_operator_api.kinds import GROUP, VERSION, Kind
from dask_operator_api.leadership import Lease
from dask_operator_api.manifests import Manifest, section

from dask_operator_autoscaler.connection import Connection, by_kubeconfig, in_pod
from dask_operator_autoscaler.errors import ApiError, Conflict, Gone, NotFound, NotLeading, Refused, TryAgain
from dask_operator_autoscaler.observed import FIELD_MANAGER

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 15.0
LIST_SECONDS = 60.0
LIST_CHUNK = 100
WATCH_SECONDS = 240
"""After this long a watch is ended by the server, and what is there is listed again."""
SILENCE_SECONDS = 90.0
"""A watch that tells nothing for so long may be deaf: there is a bookmark every minute, though nobody promises it."""
CONNECTIONS = 32

LIVELY = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
"""Options of a connection, where the platform has them: a server that is gone without a word is missed after 20 s."""

_JSON = "application/json"
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Chunk:
    """Some of the objects of a listing."""

    items: list[Manifest]
    version: str
    """Where a watch goes on from after the whole listing."""


@dataclass(frozen=True)
class Change:
    """What a watch tells."""

    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    body: Manifest

    @property
    def version(self) -> str:
        """Where a watch goes on from after this."""
        return str(section(self.body, "metadata").get("resourceVersion") or "")


class Kube:
    """Calls to the API server. Close it at the end.

    Args:
        connection: where it is; see :func:`find`.
        fence: for how many seconds writes may still be on their way; at 0 none is sent.
        connections: how many there are at most.
        called: told verb and HTTP status of each call, None where no answer came.
    """

    def __init__(
        self,
        connection: Connection,
        fence: Callable[[], float] = lambda: math.inf,
        connections: int = CONNECTIONS,
        called: Callable[[str, int | None], None] = lambda verb, code: None,
    ) -> None:
        self._connection = connection
        self._called = called
        self._fence = fence
        connector = aiohttp.TCPConnector(
            ssl=connection.tls or True, limit=connections, socket_factory=_socket
        )
        self._session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def listing(self, kind: Kind, namespace: str = "") -> AsyncIterator[Chunk]:
        """All objects of ``kind`` in a namespace, or in all, some at a time."""
        token = ""
        while True:
            query = {"limit": str(LIST_CHUNK), **({"continue": token} if token else {})}
            answer = await self._call(
                "GET", f"{_path(kind, namespace)}?{urlencode(query)}", seconds=LIST_SECONDS
            )
            metadata = section(answer, "metadata")
            yield Chunk(answer.get("items") or [], str(metadata.get("resourceVersion") or ""))
            token = str(metadata.get("continue") or "")
            if not token:
                return

    async def watch(self, kind: Kind, version: str, namespace: str = "") -> AsyncIterator[Change]:
        """What changes after ``version``, until the server ends it or is silent for too long: then list again.

        Raises:
            Gone: the server has forgotten ``version``: list again.
        """
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        url = f"{self._connection.host}{_path(kind, namespace)}?{urlencode(query)}"
        try:
            async with self._session.get(url, headers=self._headers(_JSON), timeout=timeout) as response:
                self._called("WATCH", response.status)
                if response.status != 200:
                    raise _error(response.status, await response.read())
                async for line in lines(response.content):
                    yield _change(line)
        except aiohttp.SocketTimeoutError:
            return
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise TryAgain(f"the watch of {kind.plural} broke: {error or type(error).__name__}") from error

    async def scale(self, namespace: str, group: str, replicas: int, version: str) -> str:
        """Set a worker group's number of workers, as ``kubectl scale`` does; gives its new resourceVersion.

        Raises:
            Conflict: the group is not as it was at ``version``, and stays as it is.
        """
        path = f"{_path(Kind.WORKER_GROUP, namespace, group)}/scale"
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        answer = await self._patch(path, body)
        return str(section(answer, "metadata").get("resourceVersion") or "")

    async def write_status(self, namespace: str, name: str, uid: str, status: Manifest) -> None:
        """Lay ``status`` over that of the DaskAutoscaler with that very uid."""
        path = f"{_path(Kind.AUTOSCALER, namespace, name)}/status"
        await self._patch(path, {"metadata": {"uid": uid}, "status": status})

    async def tell(self, namespace: str, event: Manifest) -> None:
        """Write an Event. One of that name says the same of the same second, and is enough."""
        with contextlib.suppress(Conflict):
            await self._call("POST", f"/api/v1/namespaces/{namespace}/events?{_MANAGER}", event)

    def lease(self, namespace: str, name: str) -> Lease:
        """A Lease, as an election wants it."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        return Lease(
            namespace=namespace,
            name=name,
            read=lambda: self._call("GET", path),
            patch=lambda body: self._patch(path, body),
            failure=ApiError,
            conflict=Conflict,
            missing=NotFound,
        )

    async def _patch(self, path: str, body: Manifest) -> Manifest:
        return await self._call("PATCH", f"{path}?{_MANAGER}", body, _MERGE)

    async def _call(
        self,
        verb: str,
        path: str,
        body: Manifest | None = None,
        content_type: str = _JSON,
        seconds: float = REQUEST_SECONDS,
    ) -> Manifest:
        if verb != "GET":
            seconds = min(seconds, self._fence())
            if seconds <= 0:
                raise NotLeading("nothing is written without the Lease")
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        data = None if body is None else json.dumps(body)
        try:
            async with self._session.request(
                verb,
                self._connection.host + path,
                data=data,
                headers=self._headers(content_type),
                timeout=timeout,
            ) as response:
                text = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._called(verb, None)
            what = f"{verb} {path.partition('?')[0]}"
            raise TryAgain(f"{what}: no answer: {error or type(error).__name__}") from error
        self._called(verb, response.status)
        if not 200 <= response.status < 300:
            raise _error(response.status, text)
        return _parsed(text)

    def _headers(self, content_type: str) -> dict[str, str]:
        ours = {"Content-Type": content_type, "Accept": _JSON, "User-Agent": FIELD_MANAGER}
        return {**ours, **self._connection.headers()}


async def find() -> Connection:
    """The Pod's service account, or outside a Pod the kubeconfig that ``KUBECONFIG`` names."""
    return in_pod() or await by_kubeconfig()


def _socket(address: Any) -> socket.socket:
    return sockets.lively_socket(address, LIVELY)


_MANAGER = urlencode({"fieldManager": FIELD_MANAGER})


def _path(kind: Kind, namespace: str = "", name: str = "") -> str:
    space = f"/namespaces/{namespace}" if namespace else ""
    own = f"/{name}" if name else ""
    return f"/apis/{GROUP}/{VERSION}{space}/{kind.plural}{own}"


def _change(line: bytes) -> Change:
    told = json.loads(line)
    body = told.get("object") or {}
    if told.get("type") == "ERROR":
        raise _error(int(body.get("code") or 500), line, str(body.get("message") or ""))
    return Change(str(told.get("type")), body)


def _error(status: int, text: bytes, message: str = "") -> ApiError:
    message = message or message_in(status, text)
    known: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict, 410: Gone}
    if status in known:
        return known[status](message)
    if status in (401, 408, 429) or status >= 500:
        return TryAgain(message)
    return Refused(message)


def _parsed(text: bytes) -> Manifest:
    try:
        answer: Any = json.loads(text)
    except ValueError as error:
        raise TryAgain(f"the API server's answer cannot be read: {error}") from error
    return answer if isinstance(answer, dict) else {}
