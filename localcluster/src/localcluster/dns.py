"""The cluster's DNS: CoreDNS as a process of the machine, on the address of the Pods' bridge."""

from pathlib import Path

from localcluster import health, kubeconfigs, paths, pki
from localcluster.daemons import Daemon
from localcluster.families import COREDNS
from localcluster.settings import API_SERVICE_IP, BRIDGE_IP, CLUSTER_DOMAIN, Settings
from localcluster.shell import write_atomically

HOST_RESOLVER = Path("/etc/resolv.conf")


def corefile(forward: bool) -> str:
    """CoreDNS' configuration; `forward` hands names outside the cluster on to the machine's own resolver."""
    outside = f"    forward . {HOST_RESOLVER}\n" if forward else ""
    return f""".:53 {{
    bind {BRIDGE_IP}
    errors
    ready {BRIDGE_IP}:8181
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {kubeconfigs.component_file("admin")}
        ttl 5
        fallthrough in-addr.arpa
    }}
{outside}    cache 5
}}
"""


def has_resolver(text: str) -> bool:
    """Whether a resolv.conf names a server other than our own. Pure."""
    fields = [line.split() for line in text.splitlines()]
    return any(f[:1] == ["nameserver"] and len(f) > 1 and f[1] != BRIDGE_IP for f in fields)


def write_files() -> None:
    """Write the configuration."""
    forward = HOST_RESOLVER.exists() and has_resolver(HOST_RESOLVER.read_text())
    write_atomically(paths.STATE / "Corefile", corefile(forward))


def daemon(settings: Settings) -> Daemon:
    """CoreDNS; well when it resolves the API server's own Service."""
    config = paths.STATE / "Corefile"

    def healthy() -> bool:
        name = f"kubernetes.default.svc.{CLUSTER_DOMAIN}"
        return health.answers(f"http://{BRIDGE_IP}:8181/ready") and health.resolves(
            BRIDGE_IP, name, API_SERVICE_IP
        )

    command = (str(settings.binary(COREDNS, "coredns")), "-conf", str(config))
    return Daemon("coredns", command, healthy, inputs=(config, pki.file("ca.crt"), pki.file("admin.crt")))
