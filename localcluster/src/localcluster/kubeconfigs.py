"""Kubeconfig files: for the components by path, for the user with the certificates inside. JSON is YAML."""

import base64
import json
from pathlib import Path

from localcluster import paths, pki
from localcluster.settings import API_PORT
from localcluster.shell import write_atomically

CONTEXT = "dask-operator-local"
SERVER = f"https://127.0.0.1:{API_PORT}"


def component_file(user: str) -> Path:
    """Path of a component's kubeconfig."""
    return paths.STATE / f"{user}.kubeconfig"


def write_component(user: str) -> None:
    """Write the kubeconfig of the certificate called `user`."""
    cluster = {"server": SERVER, "certificate-authority": str(pki.file("ca.crt"))}
    credentials = {
        "client-certificate": str(pki.file(f"{user}.crt")),
        "client-key": str(pki.file(f"{user}.key")),
    }
    write_atomically(component_file(user), _config("local", cluster, credentials), mode=0o600)


def write_user(target: Path) -> None:
    """Write the administrator's kubeconfig: stands alone, readable by its owner only."""
    cluster = {"server": SERVER, "certificate-authority-data": _encoded("ca.crt")}
    credentials = {
        "client-certificate-data": _encoded("admin.crt"),
        "client-key-data": _encoded("admin.key"),
    }
    content = _config(CONTEXT, cluster, credentials)
    if not target.exists() or target.read_text() != content:
        write_atomically(target, content, mode=0o600)
    target.chmod(0o600)


def _encoded(name: str) -> str:
    return base64.b64encode(pki.file(name).read_bytes()).decode()


def _config(name: str, cluster: dict[str, str], credentials: dict[str, str]) -> str:
    user = f"{name}-admin"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return json.dumps(config, indent=2) + "\n"
