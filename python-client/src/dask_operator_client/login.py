"""The login that the user has: what the kubeconfig says, or the Pod's service account."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from dask_operator_client.errors import KubernetesUnavailable

DEFAULT_NAMESPACE = "default"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Source:
    """Where a login comes from: there it is had again, whatever else the user makes the current one meanwhile."""

    files: str
    """Absolute paths of kubeconfigs, joined as in ``KUBECONFIG``; empty for the Pod's service account."""
    context: str = ""
    """The name of the context in them; empty for the current one."""


@dataclass(frozen=True)
class Login:
    """What it takes to make a request."""

    client: ApiClient
    """Knows the headers and, in its ``configuration``, the address."""
    namespace: str
    """The namespace that goes with it."""
    source: Source


async def load(source: Source | None = None) -> Login:
    """A login from ``source``; without one, of what ``KUBECONFIG`` names, else ``~/.kube/config``, else the Pod.

    Raises:
        KubernetesUnavailable: there is none, it is not usable, or its login plugin fails.
    """
    source = source or Source(_kubeconfig_files())
    configuration = Configuration()
    try:
        loader = await _loaded(source, configuration)
        client = ApiClient(configuration)
    except Exception as error:  # files that are being written and login plugins fail in every way
        raise KubernetesUnavailable(_no_configuration(source.files, error)) from error
    if loader is None:
        return Login(client, _pod_namespace(), source)
    _check_plugin(loader, configuration, source.files)
    found = loader.current_context
    namespace = (found.get("context") or {}).get("namespace") or DEFAULT_NAMESPACE
    return Login(client, namespace, Source(source.files, str(found["name"])))


async def _loaded(source: Source, configuration: Any) -> Any:
    """Fill in ``configuration``; gives the loader that knows the kubeconfig, None in a Pod."""
    if not source.files:
        config.load_incluster_config(client_configuration=configuration)
        return None
    return await config.load_kube_config(
        source.files,
        context=source.context or None,
        client_configuration=configuration,
        persist_config=False,
    )


def load_at_exit(source: Source) -> Any:
    """The same for a process that is ending, without a loop: the configuration of the client that blocks."""
    configuration = kubernetes.client.Configuration()
    configuration.retries = 0
    if source.files:
        context = source.context or None
        kubernetes.config.load_kube_config(source.files, context, client_configuration=configuration)
    else:
        kubernetes.config.load_incluster_config(client_configuration=configuration)
    return configuration


def _check_plugin(loader: Any, configuration: Any, files: str) -> None:
    """Whether the login plugin has worked: the loader only logs that it has not, and would go on without a login."""
    user = loader._user or {}
    plugins = [key for key in ("exec", "auth-provider") if key in user]
    if plugins and not configuration.api_key and not configuration.cert_file:
        raise KubernetesUnavailable(
            f"the login plugin failed that {files} names ({plugins[0]}): it gave neither a token nor a client "
            "certificate. Does `kubectl version` work? If not, log in again, as your provider of Kubernetes says"
        )


def _no_configuration(files: str, error: Exception) -> str:
    if files:
        words = str(error) or type(error).__name__
        return f"the Kubernetes configuration {files} is not usable: {words}. Does `kubectl version` work?"
    named = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return (
        f"no Kubernetes configuration: there is no {named}, and this is no Pod with a service account. Point "
        "KUBECONFIG at a kubeconfig"
    )


def _kubeconfig_files() -> str:
    """The absolute paths of the kubeconfigs that exist, joined as in ``KUBECONFIG``; empty where none does."""
    files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    paths = [Path(file).expanduser().absolute() for file in files.split(os.pathsep) if file]
    return os.pathsep.join(str(path) for path in paths if path.exists())


def _pod_namespace() -> str:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE
