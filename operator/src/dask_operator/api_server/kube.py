"""The one module that talks to the API server.

Objects go in and come out as plain dicts. Every failure is one of the kinds in :mod:`dask_operator.errors`.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

import aiohttp
from dask_operator_api.answers import lines
from dask_operator_api.fence import Fence
from dask_operator_api.kinds import GROUP, VERSION, Kind
from dask_operator_api.leadership import Lease
from dask_operator_api.manifests import Manifest
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from dask_operator.api_server import transport
from dask_operator.api_server.answers import Change, change_in, checked, object_in
from dask_operator.api_server.pace import Pace
from dask_operator.errors import ApiError, Conflict, NotFound, NotLeading, Refused, TryAgain, Uncertain

REQUEST_SECONDS = 15.0
LIST_SECONDS = 60.0
LOG_SECONDS = 3.0
SILENCE_SECONDS = 70.0
"""A watch that is silent for longer is dead: the API server sends a bookmark about once a minute."""
LOG_BYTES = 16384
CONNECT_SECONDS = 5.0
LIST_CHUNK = 100
EVENTS_MAX = 500

FIELD_MANAGER = "dask-operator"

_PATHS = {
    Kind.CLUSTER.value: (f"/apis/{GROUP}/{VERSION}", Kind.CLUSTER.plural),
    Kind.WORKER_GROUP.value: (f"/apis/{GROUP}/{VERSION}", Kind.WORKER_GROUP.plural),
    Kind.JOB.value: (f"/apis/{GROUP}/{VERSION}", Kind.JOB.plural),
    Kind.AUTOSCALER.value: (f"/apis/{GROUP}/{VERSION}", Kind.AUTOSCALER.plural),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "Event": ("/api/v1", "events"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}

_TEST_FAILED = "the server rejected our request due to an error in our request"
"""What the API server says, with status 422, of a JSON patch one of whose steps cannot be done: a ``test``, mostly."""

_BROKEN = (TimeoutError, aiohttp.ClientError, OSError)

_MERGE = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"


Item = TypeVar("Item")


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """All objects of a kind at one moment."""

    items: list[Item]
    version: int


Called = Callable[[str, int | None], None]


def _uncounted(_verb: str, _code: int | None) -> None:
    """Nobody counts."""


class Kube:
    """Calls to the API server. Make one with :meth:`connect`; close it at the end.

    Writes pass ``fence``, and none is under way any more when it closes.
    """

    def __init__(
        self,
        client: ApiClient,
        fence: Fence,
        agent: str,
        called: Called = _uncounted,
        pace: Pace | None = None,
    ) -> None:
        self._client = client
        self._fence = fence
        self._agent = agent
        self._called = called
        self._pace = pace or Pace(0)

    @classmethod
    async def connect(
        cls,
        fence: Fence,
        agent: str,
        connections: int,
        called: Called = _uncounted,
        pace: Pace | None = None,
    ) -> "Kube":
        """Use the Pod's service account, or outside a Pod the kubeconfig that ``KUBECONFIG`` names.

        Args:
            fence: what writes have to pass.
            agent: what the API server's audit log calls this process.
            connections: how many at one time; 0: any number.
            called: told of every call: the HTTP verb, and the answer's status, or None where none came.
            pace: how fast calls are made; without bound unless given.
        """
        client = ApiClient(await _configuration())
        rest = client.rest_client
        rest.pool_manager = transport.session(fence, client.configuration.host, rest.ssl_context, connections)
        return cls(client, fence, agent, called, pace)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def list_all(
        self, kind: str, selector: str = "", namespace: str | None = None
    ) -> Listing[Manifest]:
        """All objects of ``kind`` in one namespace, or in all."""
        return await self.list_as(kind, lambda body: body, selector, namespace)

    async def list_as(
        self,
        kind: str,
        read: Callable[[Manifest], Item],
        selector: str = "",
        namespace: str | None = None,
    ) -> Listing[Item]:
        """The same, each object as ``read`` gives it: of Pods as they come (25 kB each) only a chunk is held.

        Args:
            kind: which.
            read: what to keep of an object.
            selector: of labels.
            namespace: all of them unless given.
        """
        found: list[Item] = []
        token = ""
        while True:
            query = {"limit": str(LIST_CHUNK), "labelSelector": selector, "continue": token}
            url = _url(kind, namespace) + "?" + urlencode({k: v for k, v in query.items() if v})
            items, meta = await self._chunk(url, read)
            found += items
            token = meta.get("continue") or ""
            if not token:
                return Listing(found, int(meta.get("resourceVersion") or 0))

    async def _chunk(self, url: str, read: Callable[[Manifest], Item]) -> tuple[list[Item], Manifest]:
        """Some of a listing, and its metadata: what came is let go before more is asked for."""
        answer = await self._call("GET", url, seconds=LIST_SECONDS)
        return [read(body) for body in answer.get("items") or ()], answer["metadata"]

    async def try_listing(self, kind: str, selector: str = "", namespace: str | None = None) -> None:
        """List one object of ``kind``, whichever.

        Raises:
            ApiError: the objects of that kind cannot be listed.
        """
        query = urlencode({"limit": "1", **({"labelSelector": selector} if selector else {})})
        await self._call("GET", _url(kind, namespace) + "?" + query)

    async def watch(
        self, kind: str, version: int, selector: str = "", namespace: str | None = None
    ) -> AsyncGenerator[Change, None]:
        """What happens to the objects of ``kind`` after ``version``, until the API server has had enough of it.

        Raises:
            TryAgain: it broke; after as much as was told, or because the version is too old.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "labelSelector": selector,
        }
        path = _url(kind, namespace) + "?" + urlencode(query)
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with await self._send("GET", path, timeout) as response:
                self._called("WATCH", response.status)
                if response.status != 200:
                    checked("GET", response.status, dict(response.headers), await response.read())
                async for line in lines(response.content):
                    yield change_in(line)
        except _BROKEN as error:
            raise _no_answer("GET", path, error) from error

    async def get(self, kind: str, namespace: str, name: str) -> Manifest:
        """One object."""
        return await self._call("GET", _url(kind, namespace, name))

    async def create(self, kind: str, body: Manifest) -> Manifest:
        """Create an object; unknown fields are refused, not dropped.

        Raises:
            Conflict: the name is taken.
        """
        query = urlencode({"fieldValidation": "Strict", "fieldManager": FIELD_MANAGER})
        url = _url(kind, body["metadata"]["namespace"]) + "?" + query
        try:
            return await self._call("POST", url, body)
        except Refused as error:
            raise Refused(str(error), error.status, kind) from error

    async def patch(
        self, kind: str, namespace: str, name: str, body: Manifest | list[Manifest], subresource: str = ""
    ) -> Manifest:
        """Patch an object, or its ``subresource``: a list is a JSON patch, a mapping a merge patch.

        Raises:
            Conflict: the object is not what the patch was made for.
        """
        url = _url(kind, namespace, name, subresource) + "?" + urlencode({"fieldManager": FIELD_MANAGER})
        content_type = _JSON_PATCH if isinstance(body, list) else _MERGE
        try:
            return await self._call("PATCH", url, body, content_type)
        except Refused as error:
            if isinstance(body, list) and error.status == 422 and _TEST_FAILED in str(error):
                raise Conflict(f"{kind} {name} has changed meanwhile") from error
            raise

    async def delete(
        self, kind: str, namespace: str, name: str, uid: str, at_once: bool = False, version: int = 0
    ) -> Manifest | None:
        """Delete the object with that very uid; gives what is left of it. Gone already is success (None).

        ``at_once`` waits for no kubelet: the object is gone, whatever still runs of it. With ``version`` it is deleted
        only if nobody has written to it since.

        Raises:
            Conflict: the object is still there, and was not deleted.
        """
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if at_once:
            body["gracePeriodSeconds"] = 0
        if version:
            body["preconditions"]["resourceVersion"] = str(version)
        try:
            answer = await self._call("DELETE", _url(kind, namespace, name), body)
        except NotFound:
            return None
        except Conflict:
            if await self._is_there(kind, namespace, name, uid):
                raise
            return None
        return answer if answer.get("kind") == kind else None

    async def _is_there(self, kind: str, namespace: str, name: str, uid: str) -> bool:
        """Whether the object with that very uid is there, asked anew."""
        try:
            held = await self.get(kind, namespace, name)
        except NotFound:
            return False
        return bool(held["metadata"]["uid"] == uid)

    def lease(self, namespace: str, name: str) -> Lease:
        """A Lease, as an election wants it."""
        return Lease(
            namespace=namespace,
            name=name,
            read=lambda: self.get("Lease", namespace, name),
            patch=lambda body: self.patch("Lease", namespace, name, body),
            failure=ApiError,
            conflict=Conflict,
            missing=NotFound,
        )

    async def list_named(self, kind: str, name: str) -> list[Manifest]:
        """The objects of ``kind`` with that name, of all namespaces: a right to list may be for one name only."""
        query = urlencode({"fieldSelector": f"metadata.name={name}"})
        answer = await self._call("GET", _url(kind, None) + "?" + query)
        return list(answer.get("items") or ())

    async def review(self, kind: str, spec: Manifest) -> Manifest:
        """What the authorization API says of the operator itself: the status of a ``SelfSubject...Review``.

        Everybody may ask that.
        """
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        answer = await self._call("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body)
        status: Manifest = answer.get("status") or {}
        return status

    async def openapi(self) -> Manifest:
        """The API server's OpenAPI document of our kinds, which everybody may read.

        Raises:
            NotFound: there are no such kinds.
        """
        return await self._call("GET", f"/openapi/v3/apis/{GROUP}/{VERSION}", seconds=LIST_SECONDS)

    async def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool) -> str:
        """The last lines of a container's log; of the one before the last restart if ``previous``."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        if previous:
            query["previous"] = "true"
        url = _url("Pod", namespace, pod, "log") + "?" + urlencode(query)
        return (await self._text("GET", url, seconds=LOG_SECONDS)).decode(errors="replace")

    async def events_about(self, namespace: str, uid: str) -> list[Manifest]:
        """The Events about the object with that uid."""
        query = urlencode({"fieldSelector": f"involvedObject.uid={uid}", "limit": str(EVENTS_MAX)})
        answer = await self._call("GET", _url("Event", namespace) + "?" + query)
        return list(answer.get("items") or ())

    async def _call(
        self,
        verb: str,
        path: str,
        body: Manifest | list[Manifest] | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> Manifest:
        return object_in(await self._text(verb, path, body, content_type, seconds))

    async def _text(
        self,
        verb: str,
        path: str,
        body: Manifest | list[Manifest] | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> bytes:
        await self._pace.turn()
        if verb != "GET":
            seconds = min(seconds, self._fence.left())
            if seconds <= 0:
                raise NotLeading(transport.CLOSED)
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        code: int | None = None
        try:
            response = await self._send(verb, path, timeout, body, content_type)
            text = await response.read()
            code = response.status
        except _BROKEN as error:
            raise _no_answer(verb, path, error) from error
        finally:
            self._called(verb, code)
        return checked(verb, response.status, dict(response.headers), text)

    async def _send(
        self,
        verb: str,
        path: str,
        limits: aiohttp.ClientTimeout,
        body: Manifest | list[Manifest] | None = None,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        headers = {"Content-Type": content_type, "Accept": "application/json", "User-Agent": self._agent}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, verb, body)
        url = self._client.configuration.host + path
        answer = await self._client.call_api(verb, url, headers, body, None, limits)
        response: aiohttp.ClientResponse = answer.response
        return response


def _no_answer(verb: str, path: str, error: Exception) -> ApiError:
    """What it means that a call ended in ``error``."""
    if isinstance(error, transport.NotSent):
        return NotLeading(str(error))
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return TryAgain(f"cannot connect to the API server: {error}")
    what = f"{verb} {path.partition('?')[0]}: no answer: {error or type(error).__name__}"
    return TryAgain(what) if verb == "GET" else Uncertain(what)


async def _configuration() -> Configuration:
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)
    return configuration


async def session_for_watches(fence: Fence, agent: str) -> tuple[str, aiohttp.ClientSession]:
    """The API server's address, and a session of one's own whose writes pass ``fence`` too.

    Every request carries the token of that moment: the service account's is renewed in the life of a process.
    """
    client = ApiClient(await _configuration())

    async def sign(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        headers: dict[str, str] = {}
        await client.update_params_for_auth(headers, [], ["BearerToken"], "", request.method, None)
        request.headers.update({key.title(): value for key, value in headers.items()})
        return await send(request)

    session = transport.session(fence, client.configuration.host, client.rest_client.ssl_context, 0, sign)
    session.headers["User-Agent"] = agent
    return client.configuration.host, session


def _url(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    prefix, plural = _PATHS[kind]
    space = f"/namespaces/{namespace}" if namespace is not None else ""
    return "/".join(part for part in (f"{prefix}{space}", plural, name, subresource) if part)
