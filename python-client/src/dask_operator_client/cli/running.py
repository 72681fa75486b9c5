"""What the commands have in common: options, errors as messages, the connection to Kubernetes."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from dask_operator_client.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dask_operator_client.kube import Kube
    from dask_operator_client.session import Session

T = TypeVar("T")
COMPLETION_SECONDS = 3.0
"""How long a shell may be kept waiting for the names of clusters."""

namespace_option = click.option(
    "-n", "--namespace", help="Namespace. Default: that of the kubeconfig's context, or of the Pod."
)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives; its errors as messages without a traceback."""
    try:
        return asyncio.run(work)
    except ClusterError as error:
        raise click.ClickException(str(error)) from None


def checked(check: Callable[[], T]) -> T:
    """What a check of keywords gives; what it refuses as a wrong use of the command."""
    try:
        return check()
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None


@asynccontextmanager
async def kubernetes() -> "AsyncIterator[Kube]":
    """A connection to the API server."""
    kube: Kube = await importlib.import_module("dask_operator_client.kube").Kube.connect()
    try:
        yield kube
    finally:
        await kube.close()


@asynccontextmanager
async def session_of(name: str, namespace: str | None) -> "AsyncIterator[Session]":
    """What can be done with one cluster."""
    opening: Awaitable[Session] = importlib.import_module("dask_operator_client.session").Session.open(
        name, namespace
    )
    session = await opening
    try:
        yield session
    finally:
        await session.end(delete=False)


def complete_cluster(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of clusters, for a shell; none where Kubernetes does not answer soon."""
    try:
        names = asyncio.run(asyncio.wait_for(_names(context.params.get("namespace")), COMPLETION_SECONDS))
    except (ClusterError, TimeoutError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


async def _names(namespace: str | None) -> list[str]:
    kinds = importlib.import_module("dask_operator_api.kinds")
    opened: AbstractAsyncContextManager[Kube] = kubernetes()
    async with opened as kube:
        found = await kube.all_of(kinds.Kind.CLUSTER, namespace or kube.namespace)
    return [str(body["metadata"]["name"]) for body in found]
