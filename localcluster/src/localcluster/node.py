"""The real node: its bridge, containerd, kubelet and kube-proxy."""

import json
import tempfile
from pathlib import Path

from localcluster import api, debian, health, kubeconfigs, paths, pause, pki
from localcluster.daemons import Daemon
from localcluster.families import KUBERNETES, PAUSE
from localcluster.settings import (
    BRIDGE,
    BRIDGE_IP,
    CLUSTER_DOMAIN,
    NODE,
    NODE_POD_RANGE,
    POD_RANGE,
    Settings,
)
from localcluster.shell import capture, succeeds, write_atomically

NETWORK = "dask-operator-local"
PAUSE_IMAGE = "localhost/pause:1"

_BRIDGE_MAC = "02:64:61:73:6b:01"
"""Fixed, or the bridge would take that of its first Pod and change it when that Pod goes."""


def socket_path() -> Path:
    """Where our containerd listens; the system's own, if any, listens elsewhere."""
    return paths.STATE / "containerd.sock"


def ctr(*arguments: str | Path) -> list[str]:
    """A `ctr` command for the images and containers of the node."""
    return ["ctr", "--address", str(socket_path()), "--namespace", "k8s.io", *map(str, arguments)]


def containerd_config() -> str:
    """TOML. Everything is kept below the state directory, so that removing it removes all."""
    home = paths.STATE / "containerd"
    return f"""version = 2
root = "{home}/root"
state = "{home}/state"
[grpc]
  address = "{socket_path()}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE a sandbox that asks for a better OOM score does not start.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{debian.CNI_PLUGINS}"
    conf_dir = "{paths.STATE}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{home}/runc"
"""


def network_config() -> dict[str, object]:
    """The node's Pod network: one bridge, addresses by the host, host ports."""
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(paths.STATE / "addresses"),
            "ranges": [[{"subnet": NODE_POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": NETWORK, "plugins": [bridge, portmap]}


def kubelet_config() -> dict[str, object]:
    """The kubelet's configuration: cgroup v1 or v2, swap or not, eviction only when it is really tight."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{socket_path()}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.file("ca.crt"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.file("kubelet.crt")),
        "tlsPrivateKeyFile": str(pki.file("kubelet.key")),
        "clusterDNS": [BRIDGE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "failSwapOn": False,
        "resolvConf": "",
        "maxPods": 250,
        "podLogsDir": str(paths.STATE / "pod-logs"),
        "volumePluginDir": str(paths.STATE / "volume-plugins"),
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def proxy_config(settings: Settings) -> dict[str, object]:
    """kube-proxy's configuration.

    Where the kernel does not show bridged packets to iptables, an answer between two Pods would bypass the
    translation of the Service's address; masquerading everything sends it back the way it came.
    """
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE,
        "clusterCIDR": POD_RANGE,
        "clientConnection": {"kubeconfig": str(kubeconfigs.component_file("proxy"))},
        "conntrack": {"maxPerCore": 0},
        "iptables": {"masqueradeAll": not settings.bridge_netfilter},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def write_files(settings: Settings) -> None:
    """Write what the node's components read when they start."""
    write_atomically(paths.STATE / "containerd.toml", containerd_config())
    write_atomically(paths.STATE / "cni" / "10-pods.conflist", json.dumps(network_config(), indent=2))
    write_atomically(paths.STATE / "kubelet.json", json.dumps(kubelet_config(), indent=2))
    write_atomically(paths.STATE / "proxy.json", json.dumps(proxy_config(settings), indent=2))


def ensure_bridge() -> None:
    """Have the bridge before the first Pod makes it, because the DNS server listens on its address."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        capture(["ip", "link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge"])
    if f" {BRIDGE_IP}/" not in capture(["ip", "-4", "address", "show", "dev", BRIDGE]):
        capture(["ip", "address", "add", f"{BRIDGE_IP}/24", "brd", "+", "dev", BRIDGE])
    capture(["ip", "link", "set", BRIDGE, "up"])


def ensure_pause_image(settings: Settings) -> None:
    """Have the image that holds a Pod's namespaces open; made here, as there is no registry."""
    if PAUSE_IMAGE in image_names():
        return
    with tempfile.TemporaryDirectory(prefix="localcluster-pause-") as folder:
        archive = Path(folder) / "pause.tar"
        pause.write_archive(settings.binary(PAUSE, "pause"), PAUSE_IMAGE, archive)
        capture(ctr("images", "import", archive))


def image_names() -> set[str]:
    """Names of the images in the node's containerd."""
    return set(capture(ctr("images", "list", "--quiet")).split())


def containerd() -> Daemon:
    """The container runtime. The containers live on when it ends."""
    config = paths.STATE / "containerd.toml"

    def healthy() -> bool:
        return health.accepts(socket_path()) and succeeds(ctr("version"), limit=health.SECONDS)

    return Daemon("containerd", ("containerd", f"--config={config}"), healthy, inputs=(config,), limit=30)


def kubelet(settings: Settings) -> Daemon:
    """The node's agent."""
    config, kubeconfig = paths.STATE / "kubelet.json", kubeconfigs.component_file("kubelet")
    command = (
        str(settings.binary(KUBERNETES, "kubelet")),
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE}",
        f"--root-dir={paths.STATE / 'kubelet'}",
        f"--node-ip={settings.address}",
    )
    return Daemon(
        "kubelet",
        command,
        lambda: health.answers("http://127.0.0.1:10248/healthz"),
        inputs=(config, kubeconfig, pki.file("ca.crt"), pki.file("kubelet.crt")),
        ports=(10248, 10250),
    )


def kube_proxy(settings: Settings) -> Daemon:
    """Services, by iptables."""
    config, kubeconfig = paths.STATE / "proxy.json", kubeconfigs.component_file("proxy")
    return Daemon(
        "kube-proxy",
        (str(settings.binary(KUBERNETES, "kube-proxy")), f"--config={config}"),
        lambda: health.answers("http://127.0.0.1:10256/healthz"),
        inputs=(config, kubeconfig, pki.file("ca.crt")),
        ports=(10249, 10256),
    )


def is_ready() -> bool:
    """Whether the real node is Ready; no when the API server does not answer."""
    try:
        return api.nodes().get(NODE, False)
    except api.ApiError:
        return False
