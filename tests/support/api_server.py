"""The API server as an admin has it, for helpers that ask too often for kubectl: calls, and following a resource."""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

from .kubectl import KUBECONFIG, Tree

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

OnEvent = Callable[[str, Tree], None]
"""Is told ADDED, MODIFIED or DELETED, and the object."""


class Refused(AssertionError):
    """The API server's answer was not a success: its status and its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class ApiServer:
    """Calls with the rights of the tests' kubeconfig. Use it as an asynchronous context manager."""

    def __init__(self) -> None:
        self._base = ""
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ApiServer":
        self._base, trust, headers = await connection()
        connector = aiohttp.TCPConnector(limit=32, ssl=trust)
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, verb: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Tree:
        """The object in the answer.

        Raises:
            Refused: it is not a success.
        """
        assert self._session is not None
        data = None if body is None else json.dumps(body)
        timeout = aiohttp.ClientTimeout(total=30)
        headers = {"Content-Type": content_type}
        async with self._session.request(
            verb, self._base + path, data=data, headers=headers, timeout=timeout
        ) as response:
            text = await response.text()
            if response.status >= 300:
                raise Refused(response.status, text[:500])
            answer: Tree = json.loads(text)
            return answer

    async def follow(self, path: str, selector: str, on_event: OnEvent, listed: asyncio.Event) -> None:
        """Tell what there is, and then whatever happens, until cancelled; ``listed`` is set after the first list.

        An end of the watch, whatever its reason, is followed by another listing.
        """
        known: dict[str, Tree] = {}
        while True:
            query = {"labelSelector": selector} if selector else {}
            answer = await self.call("GET", f"{path}?{urlencode(query)}")
            _compare(known, answer["items"], on_event)
            listed.set()
            query |= {"watch": "true", "resourceVersion": answer["metadata"]["resourceVersion"]}
            await self._watch(f"{path}?{urlencode(query)}", known, on_event)

    async def _watch(self, url: str, known: dict[str, Tree], on_event: OnEvent) -> None:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        try:
            async with self._session.get(self._base + url, timeout=timeout, read_bufsize=2**22) as response:
                with at_once(response):
                    async for line in response.content:
                        event = json.loads(line)
                        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                            return
                        _remember(known, event["type"], event["object"])
                        on_event(event["type"], event["object"])
        except aiohttp.ClientError:
            return  # the watch has ended: the caller lists again


@contextmanager
def at_once(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Close a watch's connection at its end without the farewells of TLS, which may outlive the event loop."""
    try:
        yield
    finally:
        if response.connection is not None and response.connection.transport is not None:
            response.connection.transport.abort()


def _remember(known: dict[str, Tree], event: str, body: Tree) -> None:
    if event == "DELETED":
        known.pop(body["metadata"]["uid"], None)
    else:
        known[body["metadata"]["uid"]] = body


def _compare(known: dict[str, Tree], bodies: list[Tree], on_event: OnEvent) -> None:
    """Tell the differences between what was known and a listing."""
    present = {body["metadata"]["uid"] for body in bodies}
    for uid in [uid for uid in known if uid not in present]:
        on_event("DELETED", known.pop(uid))
    for body in bodies:
        held = known.get(body["metadata"]["uid"])
        if held is None or held["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            _remember(known, "MODIFIED", body)
            on_event("ADDED" if held is None else "MODIFIED", body)


async def connection() -> tuple[str, ssl.SSLContext, dict[str, str]]:
    """Address, trust and headers for calls with the rights of the tests' kubeconfig."""
    held = Configuration()
    await config.load_kube_config(config_file=str(KUBECONFIG), client_configuration=held)
    trust = ssl.create_default_context(cafile=held.ssl_ca_cert)
    if held.cert_file:
        trust.load_cert_chain(held.cert_file, held.key_file)
    token = held.api_key.get("BearerToken") or held.api_key.get("authorization")
    return held.host, trust, {"Authorization": str(token)} if token else {}


def path_of(plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of Pods, Services, namespaces or our custom resources."""
    prefix = "/apis/kubernetes.dask.org/v1" if plural.startswith("dask") else "/api/v1"
    space = f"/namespaces/{namespace}" if namespace else ""
    return "/".join(part for part in (prefix + space, plural, name, subresource) if part)
