"""How to reach the API server: the Pod's service account, or outside a Pod a kubeconfig."""

import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS = 60.0
"""The kubelet renews the token's file long before the token expires."""


@dataclass(frozen=True)
class Connection:
    """Where the API server is, and how it knows us."""

    host: str
    """``https://name:port``."""
    tls: ssl.SSLContext | None
    headers: Callable[[], dict[str, str]]
    """The headers that say who asks, as of now."""


class _TokenFile:
    """A bearer token in a file that is replaced from time to time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = -TOKEN_SECONDS
        self._token = ""

    def headers(self) -> dict[str, str]:
        now = time.monotonic()
        if now - self._read >= TOKEN_SECONDS:
            self._token, self._read = self._path.read_text().strip(), now
        return {"Authorization": f"Bearer {self._token}"}


def in_pod(environment: Mapping[str, str] | None = None, folder: Path = SERVICE_ACCOUNT) -> Connection | None:
    """The service account's connection; None outside a Pod."""
    env = os.environ if environment is None else environment
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (folder / "token").exists():
        return None
    name = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    return Connection(f"https://{name}:{port}", tls, _TokenFile(folder / "token").headers)


async def by_kubeconfig(files: str | None = None) -> Connection:
    """What ``files`` say, by default those that ``KUBECONFIG`` names: for running the autoscaler from a checkout.

    The library for that is imported only here: its memory is more than all the rest of the program takes.
    """
    from kubernetes.aio import config
    from kubernetes.aio.client.api_client import ApiClient
    from kubernetes.aio.client.configuration import Configuration

    configuration = Configuration()
    await config.load_kube_config(files, client_configuration=configuration)
    client = ApiClient(configuration)
    tls = client.rest_client.ssl_context
    await client.close()
    token = configuration.api_key.get("BearerToken")
    headers = {"Authorization": str(token)} if token else {}
    return Connection(str(configuration.host), tls, lambda: headers)
