"""Fake nodes, for scale: kwok says of the Pods there that they run, and nothing does."""

from localcluster import api, health, kubeconfigs, paths, pki
from localcluster.daemons import Daemon
from localcluster.families import KWOK
from localcluster.settings import FAKE_POD_RANGE, Settings
from localcluster.shell import LocalClusterError, until, write_atomically

ANNOTATION = "kwok.x-k8s.io/node"
SERVER = "127.0.0.1:10247"


def name(number: int) -> str:
    """A fake node's name."""
    return f"fake-{number}"


def node(number: int) -> api.Object:
    """A fake node: Pods come to it only if they tolerate the taint and ask for `type: kwok`. Pure."""
    room = {"cpu": "1000", "memory": "4Ti", "pods": "500"}
    labels = {
        "type": "kwok",
        "kubernetes.io/hostname": name(number),
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name(number), "annotations": {ANNOTATION: "fake"}, "labels": labels},
        "spec": {"taints": [{"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room},
    }


def changes(wanted: int, there: set[str]) -> tuple[list[int], list[str]]:
    """Numbers of the fake nodes to create, and names of those to delete. Pure."""
    names = [name(number) for number in range(wanted)]
    fakes = {node_name for node_name in there if node_name.startswith(name(0)[:-1])}
    return [i for i, node_name in enumerate(names) if node_name not in there], sorted(fakes - set(names))


def ensure(settings: Settings) -> None:
    """Have as many fake nodes as wanted, all Ready."""
    create, delete = changes(settings.fake_nodes, set(api.nodes()))
    for number in create:
        api.call("POST", "/api/v1/nodes", node(number))
    for surplus in delete:
        api.call("DELETE", f"/api/v1/nodes/{surplus}")
    wanted = {name(number) for number in range(settings.fake_nodes)}

    def ready() -> bool:
        nodes = api.nodes()
        return all(nodes.get(fake, False) for fake in wanted)

    if not until(ready, 30 + 0.1 * settings.fake_nodes, pause=0.2):
        raise LocalClusterError(f"the fake nodes are not all Ready; see {paths.log_file('kwok')}")


def write_files(settings: Settings) -> None:
    """Write kwok's configuration: its project's own stages for nodes and Pods that are ready at once."""
    stages = [file.read_text() for file in sorted(settings.share(KWOK).glob("*.yaml"))]
    write_atomically(paths.STATE / "kwok.yaml", "\n---\n".join(stages))


def daemon(settings: Settings) -> Daemon:
    """kwok; it looks after nodes with its annotation only."""
    config = paths.STATE / "kwok.yaml"
    kubeconfig = kubeconfigs.component_file("admin")
    command = (
        str(settings.binary(KWOK, "kwok")),
        f"--kubeconfig={kubeconfig}",
        f"--config={config}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        f"--cidr={FAKE_POD_RANGE}",
        f"--server-address={SERVER}",
        "--node-lease-duration-seconds=40",
    )
    return Daemon(
        "kwok",
        command,
        lambda: health.answers(f"http://{SERVER}/healthz"),
        inputs=(config, kubeconfig, pki.file("ca.crt"), pki.file("admin.crt")),
        ports=(10247,),
    )
