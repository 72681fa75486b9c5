"""What the machine was like before the first `up`, so that `down` can put it back."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster import firewall, paths
from localcluster.shell import succeeds, write_atomically

SYSCTLS = (
    # First: switching forwarding resets some of those that follow.
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/conf/all/accept_redirects",
    "net/ipv4/conf/default/accept_redirects",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Kernel settings that the kubelet, kube-proxy, the Pod network or we may change."""

FOLDERS = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/run/containerd",
    "/run/netns",
    "/etc/cni",
)
"""Folders outside the state directory whose place is fixed in some component."""

LEFTOVERS = (
    "/var/lib/kubelet/device-plugins/kubelet.sock",
    "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint",
    "/var/lib/cni/results/dask-operator-local-*",
)
"""Files of ours in those folders."""

_FILE = "machine-before.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Before:
    """The machine before the first `up` since it was started."""

    boot: str
    sysctls: dict[str, str]
    folders: list[str]
    chains: list[str]


def boot_id() -> str:
    """Names the time since the machine was last started."""
    return _BOOT_ID.read_text().strip()


def load() -> Before | None:
    """What was remembered; None when nothing was, or it cannot be read."""
    try:
        return Before(**json.loads((paths.STATE / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remember() -> None:
    """Remember the machine as it is, once: later calls keep what the first one saw."""
    if load() is not None:
        return
    before = Before(
        boot=boot_id(),
        sysctls={name: value for name in SYSCTLS if (value := _read(name)) is not None},
        folders=[folder for folder in FOLDERS if Path(folder).exists()],
        chains=sorted(firewall.all_chains()),
    )
    write_atomically(paths.STATE / _FILE, json.dumps(asdict(before), indent=2))


def prepare() -> bool:
    """Set what the cluster needs of the kernel. True when bridged packets are shown to iptables."""
    _write("net/ipv4/ip_forward", "1")
    bridged = "net/bridge/bridge-nf-call-iptables"
    if _read(bridged) is None:
        succeeds(["modprobe", "br_netfilter"])
    if _read(bridged) is None:
        return False
    _write(bridged, "1")
    return _read(bridged) == "1"


def restore(before: Before) -> None:
    """Put the kernel settings back that differ, unless the machine was started anew meanwhile."""
    if before.boot != boot_id():
        return
    for name, value in before.sysctls.items():
        if _read(name) != value:
            _write(name, value)


def remove_folders(before: Before) -> None:
    """Remove our files there, and the folders that were not there before, unless somebody else uses them."""
    for pattern in LEFTOVERS:
        for file in Path("/").glob(pattern.removeprefix("/")):
            file.unlink(missing_ok=True)
    for folder in FOLDERS:
        if folder not in before.folders:
            for inner, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):  # not empty: another program's
                    Path(inner).rmdir()


def _read(name: str) -> str | None:
    try:
        return (Path("/proc/sys") / name).read_text().strip()
    except OSError:
        return None


def _write(name: str, value: str) -> None:
    if _read(name) != value:
        try:
            (Path("/proc/sys") / name).write_text(value)
        except OSError:
            return  # some are read-only in a container; a component that needs one says so itself
