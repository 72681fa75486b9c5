"""What the running cluster was asked to be, kept in its state directory for any checkout to go on from."""

import json
import platform
import socket
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from localcluster import paths
from localcluster.shell import LocalClusterError, capture, write_atomically

NODE = "node1"
CLUSTER_DOMAIN = "cluster.local"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
POD_RANGE = "10.244.0.0/16"
NODE_POD_RANGE = "10.244.0.0/24"
BRIDGE = "cni0"
BRIDGE_IP = "10.244.0.1"
FAKE_POD_RANGE = "10.245.0.1/16"
"""Addresses of Pods that do not exist. Apart from the node's own, or a fake Pod could have a real one's."""

API_PORT = 6443
DEFAULT_LIMITS = "default"
RAISED_LIMITS = "raised"

_FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What the components' flags depend on. `tools` maps a tool family to the folder it was built to."""

    address: str
    bridge_netfilter: bool
    client_limits: str = DEFAULT_LIMITS
    fake_nodes: int = 2
    tools: dict[str, str] = field(default_factory=dict)

    def binary(self, family: str, name: str) -> Path:
        """Path of a built tool."""
        return Path(self.tools[family]) / "bin" / name

    def share(self, family: str) -> Path:
        """Folder of a tool family's data files."""
        return Path(self.tools[family]) / "share"

    def changed(self, client_limits: str | None, fake_nodes: int | None) -> "Settings":
        """The same with what was asked for explicitly; None keeps what is."""
        asked = self if client_limits is None else replace(self, client_limits=client_limits)
        return asked if fake_nodes is None else replace(asked, fake_nodes=fake_nodes)


def load() -> Settings | None:
    """The settings of the machine's cluster; None where there is none, or they cannot be read."""
    try:
        return Settings(**json.loads((paths.STATE / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def save(settings: Settings) -> None:
    """Keep the settings in the state directory."""
    write_atomically(paths.STATE / _FILE, json.dumps(asdict(settings), indent=2) + "\n")


def machine_address() -> str:
    """This machine's IPv4 address on the way to the world, or on any interface but loopback and ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # a documentation address: asks for a route, sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            pass
    for link in json.loads(capture(["ip", "-json", "-4", "address", "show", "scope", "global"])):
        if link["ifname"] != BRIDGE:
            return str(link["addr_info"][0]["local"])
    raise LocalClusterError(
        "this machine has no IPv4 address beside loopback: Pods could not reach the API server"
    )


def host_name() -> str:
    """The machine's own name, for the API server's certificate."""
    return platform.node() or "localhost"
