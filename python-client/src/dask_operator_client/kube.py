"""The one module that talks to the API server. Objects go in and come out as plain dicts."""

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
import kubernetes
from dask_operator_api import labels
from dask_operator_api.kinds import GROUP, VERSION, Kind
from dask_operator_api.manifests import Manifest, items, section
from kubernetes.aio.config import ConfigException

from dask_operator_client import login
from dask_operator_client.errors import (
    INSTALL,
    AnswerLost,
    ClusterError,
    ClusterExists,
    ClusterNotFound,
    ForwardFailed,
    KubernetesUnavailable,
    OperatorMissing,
    RequestRefused,
)
from dask_operator_client.lively import lively_socket

REQUEST_SECONDS = 15.0
CONNECT_SECONDS = 5.0
EXIT_SECONDS = 5.0
_USER_AGENT = "dask-operator-client"
_FIELD_MANAGER = "dask-operator-client"
_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_PROTOCOL = "v4.channel.k8s.io"
_SOCKET_TIMEOUT = aiohttp.ClientWSTimeout(ws_receive=None, ws_close=2.0)
"""A stream may be silent for as long as it likes; a closed one waits two seconds for the other side to agree."""


class PodSocket:
    """A connection to a port of a Pod through the API server: a web socket with a data and an error channel."""

    _DATA, _ERROR = 0, 1

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._announced: set[int] = set()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        await self._socket.send_bytes(bytes((self._DATA,)) + data)

    async def receive(self) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            ForwardFailed: the kubelet says that the connection broke, or was refused by the Pod.
        """
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, payload = message.data[0], message.data[1:]
            if channel not in self._announced:  # the first message of each channel only names the port
                self._announced.add(channel)
            elif channel == self._ERROR:
                raise ForwardFailed(f"the port-forward broke: {payload.decode(errors='replace').strip()}")
            elif payload:
                return bytes(payload)
        return b""

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()


class Kube:
    """Calls to the API server, from one event loop. Make one with :meth:`connect`; close it at the end."""

    def __init__(self, found: login.Login) -> None:
        self._client = found.client
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0, socket_factory=lively_socket)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=True)
        self.namespace = found.namespace
        """The namespace to use where none is named."""
        self.source = found.source
        """Where the login comes from."""
        self.in_pod = not found.source.files
        """Whether the Pod's own service account is used: then Services can probably be reached directly."""

    @classmethod
    async def connect(cls) -> "Kube":
        """Use what ``KUBECONFIG`` names, else ``~/.kube/config``, else the Pod's service account.

        Raises:
            KubernetesUnavailable: there is none, it is not usable, or its login plugin fails.
        """
        return cls(await login.load())

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        """One object.

        Raises:
            ClusterNotFound: there is none of that name.
        """
        return await self._call("GET", _path(kind, namespace, name))

    async def all_of(self, kind: Kind, namespace: str | None) -> list[Manifest]:
        """All objects of a kind, of one namespace or of all."""
        path = f"/apis/{GROUP}/{VERSION}/{kind.plural}" if namespace is None else _path(kind, namespace)
        return items(await self._call("GET", path), "items")

    async def core(self, namespace: str, plural: str, name: str) -> Manifest:
        """One object of Kubernetes' own, such as a Service.

        Raises:
            ClusterNotFound: there is none of that name.
        """
        return await self._call("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}")

    async def pods(self, namespace: str, selector: str) -> list[Manifest]:
        """The Pods with certain labels."""
        query = urlencode({"labelSelector": selector})
        return items(await self._call("GET", f"/api/v1/namespaces/{namespace}/pods?{query}"), "items")

    async def log(self, namespace: str, pod: str, container: str, lines: int | None = None) -> str:
        """The log of a container, or its last lines."""
        query = urlencode({"container": container, **({} if lines is None else {"tailLines": lines})})
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{query}"
        return (await self._answer("GET", path)).decode(errors="replace")

    async def create(self, kind: Kind, body: Manifest, dry_run: bool = False) -> Manifest:
        """Create an object; unknown fields are refused, not dropped. A dry run judges it only.

        Raises:
            ClusterExists: the name is taken.
            AnswerLost: it may be there now, or not.
        """
        path = _path(kind, body["metadata"]["namespace"])
        query = {"fieldValidation": "Strict", "fieldManager": _FIELD_MANAGER}
        if dry_run:
            query["dryRun"] = "All"
        return await self._call("POST", f"{path}?{urlencode(query)}", body)

    async def patch(self, kind: Kind, namespace: str, name: str, body: Manifest) -> Manifest:
        """Lay ``body`` over an object (a merge patch)."""
        path = f"{_path(kind, namespace, name)}?{urlencode({'fieldManager': _FIELD_MANAGER})}"
        return await self._call("PATCH", path, body, _MERGE)

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int) -> None:
        """Set an object's number of replicas through its scale subresource, as ``kubectl scale`` does."""
        path = f"{_path(kind, namespace, name)}/scale?{urlencode({'fieldManager': _FIELD_MANAGER})}"
        await self._call("PATCH", path, {"spec": {"replicas": replicas}}, _MERGE)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> bool:
        """Delete an object, with ``uid`` only that very one; gives whether it was there.

        What belongs to it goes after it, in the background.
        """
        try:
            await self._call("DELETE", _path(kind, namespace, name), _delete_options(uid))
        except (ClusterNotFound, ClusterExists):  # gone, or another one by now
            return False
        return True

    async def open_port(self, namespace: str, pod: str, port: int) -> PodSocket:
        """Open a connection to a port of a Pod.

        Raises:
            ForwardFailed: the API server or the kubelet refused it.
        """
        url = f"{self._client.configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"
        for attempt in (1, 2):
            try:
                socket = await self._open_session().ws_connect(
                    url,
                    protocols=(_PROTOCOL,),
                    headers=await self._headers("GET"),
                    max_msg_size=0,
                    timeout=_SOCKET_TIMEOUT,
                    **self._tls_and_proxy(),
                )
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 401 and attempt == 1:
                    await self._log_in_again()
                    continue
                raise ForwardFailed(_forward_problem(error.status, namespace, pod, port)) from error
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                raise ForwardFailed(f"cannot open a port-forward to Pod {pod}: {_words(error)}") from error
            return PodSocket(socket)
        raise AssertionError("unreachable")

    async def _call(
        self, verb: str, path: str, body: Manifest | None = None, content_type: str = _JSON
    ) -> Manifest:
        text = await self._answer(verb, path, body, content_type)
        if answer := _parsed(text):
            return answer
        raise KubernetesUnavailable(
            f"what answers at {self._client.configuration.host} is no Kubernetes API server, or something is between: "
            f"it says {text[:100].decode(errors='replace')!r}. Does `kubectl version` reach it?"
        )

    async def _answer(
        self, verb: str, path: str, body: Manifest | None = None, content_type: str = _JSON
    ) -> bytes:
        status, text = await self._request(verb, path, body, content_type)
        if status == 401:
            await self._log_in_again()
            status, text = await self._request(verb, path, body, content_type)
        if 200 <= status < 300:
            return text
        raise error_of(status, text)

    async def _request(
        self, verb: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, bytes]:
        headers = {
            **await self._headers(verb),
            "Content-Type": content_type,
            "Accept": "application/json, */*",
        }
        host = self._client.configuration.host
        try:
            async with self._open_session().request(
                verb,
                host + path,
                data=None if body is None else json.dumps(body),
                headers=headers,
                **self._tls_and_proxy(),
            ) as response:
                return response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            raise (AnswerLost if sent else KubernetesUnavailable)(
                f"cannot reach the Kubernetes API server {host}: {_words(error)}. Does `kubectl version` reach it?"
            ) from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session.closed:
            raise ClusterError("the connection to Kubernetes was closed meanwhile")
        return self._session

    async def _log_in_again(self) -> None:
        """Take a new token or certificate of the same context: those of cloud providers last for minutes.

        Streams that are open stay open.

        Raises:
            KubernetesUnavailable: there is none to be had. The old one is kept, and refused again, and so on.
        """
        self._client = (await login.load(self.source)).client

    async def _headers(self, verb: str) -> dict[str, str]:
        headers = {"User-Agent": _USER_AGENT}
        try:  # in a Pod this reads the token anew
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], "", verb, None)
        except (ConfigException, OSError) as error:
            raise KubernetesUnavailable(f"there is no token to log in with: {_words(error)}") from error
        return headers

    def _tls_and_proxy(self) -> dict[str, Any]:
        configuration = self._client.configuration
        names = {
            "ssl": self._client.rest_client.ssl_context,  # it has the client certificate, which may be renewed
            "server_hostname": configuration.tls_server_name,
            "proxy": configuration.proxy,
            "proxy_headers": configuration.proxy_headers,
        }
        return {key: value for key, value in names.items() if value}


@dataclass
class Claim:
    """How the DaskCluster is known that a process is to delete when it ends."""

    name: str
    namespace: str
    source: login.Source
    uid: str = ""
    """Empty as long as nobody has seen it."""
    creation: str = ""
    """The word under which it was created."""
    process: int = field(default_factory=os.getpid)
    """The process that is to delete it. One that was forked from it has the claim, too."""


def delete_at_exit(claim: Claim) -> None:
    """Delete a DaskCluster from a process that is ending: no event loop, no threads, no complaints."""
    if claim.process != os.getpid():
        return
    with contextlib.suppress(Exception):
        configuration = login.load_at_exit(claim.source)
        api = kubernetes.client.CustomObjectsApi(kubernetes.client.ApiClient(configuration))
        place = (GROUP, VERSION, claim.namespace, Kind.CLUSTER.plural, claim.name)
        if not claim.uid:
            claim.uid = claimed_uid(
                claim, api.get_namespaced_custom_object(*place, _request_timeout=EXIT_SECONDS)
            )
        if claim.uid:
            body = _delete_options(claim.uid)
            api.delete_namespaced_custom_object(*place, body=body, _request_timeout=EXIT_SECONDS)


def claimed_uid(claim: Claim, body: Manifest) -> str:
    """The uid of a DaskCluster that was created under the claim's word; empty if it is somebody else's."""
    word = section(body, "metadata", "annotations").get(labels.CREATION)
    return str(section(body, "metadata").get("uid", "")) if claim.creation and word == claim.creation else ""


def error_of(status: int, text: bytes) -> Exception:
    """The error for an answer that is no success."""
    answer = _parsed(text)
    message = str(answer.get("message") or text[:200].decode(errors="replace").strip() or f"HTTP {status}")
    if status == 404:
        if section(answer, "details").get("name"):
            return ClusterNotFound(message)
        return OperatorMissing(
            f"this Kubernetes cluster does not know {GROUP}/{VERSION}: the Dask operator is not installed. {INSTALL}. "
            "Or choose another context of the kubeconfig"
        )
    if status == 409:
        return ClusterExists(message)
    if status == 401:
        return KubernetesUnavailable(f"the API server does not accept the login: {message}")
    if status in (408, 410, 429) or status >= 500:
        lost = status in (408, 502, 504)
        return (AnswerLost if lost else KubernetesUnavailable)(f"the API server cannot answer now: {message}")
    return RequestRefused(message, status)


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    base = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}"
    return f"{base}/{name}" if name else base


def _delete_options(uid: str | None) -> Manifest:
    options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    return {**options, "preconditions": {"uid": uid}} if uid else options


def _parsed(text: bytes) -> Manifest:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _forward_problem(status: int, namespace: str, pod: str, port: int) -> str:
    what = f"cannot open a port-forward to port {port} of Pod {pod}"
    if status in (401, 403):
        return (
            f"{what}: no rights. You need 'get' and 'create' on pods/portforward in the namespace {namespace}"
        )
    return f"{what}: HTTP {status}" + (": there is no such Pod now" if status == 404 else "")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
