"""The login that the user has: what the kubeconfig says, or the Pod's service account."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from dask_operator_client.errors import KubernetesUnavailable

DEFAULT_NAMESPACE = "default"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Login:
    """What it takes to make a request."""

    client: ApiClient
    """Knows the headers and, in its ``configuration``, the address."""
    namespace: str
    """The namespace that goes with it."""
    in_pod: bool
    """Whether it is the Pod's own service account."""


async def load() -> Login:
    """Use what ``KUBECONFIG`` names, else ``~/.kube/config``, else the Pod's service account.

    Raises:
        KubernetesUnavailable: there is neither, it is not usable, or its login plugin fails.
    """
    configuration = Configuration()
    files = kubeconfig_files()
    try:
        if files:
            loader = await config.load_kube_config(
                files, client_configuration=configuration, persist_config=False
            )
            context = loader.current_context.get("context") or {}
        else:
            config.load_incluster_config(client_configuration=configuration)
        client = ApiClient(configuration)
    except (config.ConfigException, OSError, ValueError) as error:
        raise KubernetesUnavailable(_no_configuration(files, error)) from error
    if not files:
        return Login(client, _pod_namespace(), in_pod=True)
    _check_plugin(loader, configuration, files)
    return Login(client, context.get("namespace") or DEFAULT_NAMESPACE, in_pod=False)


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


def kubeconfig_files() -> str:
    """The kubeconfig files to read, joined as in ``KUBECONFIG``; empty where none exists."""
    files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    exists = any(Path(file).expanduser().exists() for file in files.split(os.pathsep) if file)
    return files if exists else ""


def _pod_namespace() -> str:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE
