"""The ways to a scheduler beside the port-forward: from a Pod, a node's port, a load balancer, a named address."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from dask_operator_client import KubeCluster, connecting
from distributed import Client

from tests.support.kubectl import ROOT, apply, eventually, get, kubectl

IMAGE = ROOT / "build" / "image-tests"
RIGHTS = ROOT / "examples" / "client-rights.yaml"
LOAD_BALANCER = "192.0.2.10"
"""An address that nobody has: the node itself carries what goes there to the Service."""

PROGRAM = """
import json, urllib.request
from dask_operator_client import KubeCluster, connecting
from distributed import Client
with KubeCluster(name="inside", n_workers=1, quiet=True) as cluster, Client(cluster) as client:
    result = client.submit(sum, [1, 2, 3]).result(timeout=60)
    dashboard = urllib.request.urlopen(cluster.dashboard_link, timeout=30).status
    print(json.dumps([cluster.namespace, cluster.scheduler_address, result, dashboard, sorted(cluster.get_logs())]))
"""

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


def works(cluster: KubeCluster) -> bool:
    """Whether the cluster computes, and shows its dashboard."""
    with Client(cluster, set_as_default=False) as client:
        result = client.submit(sum, [1, 2, 3]).result(timeout=60)
    with urllib.request.urlopen(cluster.dashboard_link, timeout=30) as answer:
        return bool(result == 6 and answer.status == 200)


def test_in_a_pod_the_service_is_used_with_no_more_rights_than_the_example_gives(namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", str(RIGHTS))
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "users"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "dask-user"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    apply(namespace, binding)
    container = {
        "name": "client",
        "image": IMAGE.read_text().strip(),
        "command": ["/opt/client/bin/python", "-W", "ignore", "-c", PROGRAM],
    }
    spec = {"containers": [container], "restartPolicy": "Never"}
    apply(namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": spec})
    phase = eventually("the Pod to end", lambda: ended(namespace, "client"), 120)
    log = kubectl("logs", "client", "-n", namespace)
    assert phase == "Succeeded", log
    where, address, result, dashboard, logs = json.loads(log.splitlines()[-1])
    assert (where, result, dashboard) == (namespace, 6, 200)
    assert address == f"tcp://inside-scheduler.{namespace}.svc:8786"
    assert "inside-scheduler" in logs
    assert get(namespace, "daskcluster", "inside") is None


def ended(namespace: str, pod: str) -> str | None:
    """The phase of a Pod that has ended."""
    phase: str = (get(namespace, "pod", pod) or {}).get("status", {}).get("phase", "")
    return phase if phase in ("Succeeded", "Failed") else None


def test_a_node_port_is_used_where_it_can_be_reached(namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connecting.SETTLING_SECONDS, "NodePort", 30.0)  # for as long as kube-proxy may take
    with KubeCluster(
        name="node", n_workers=1, namespace=namespace, scheduler_service_type="NodePort", quiet=True
    ) as cluster:
        service = get(namespace, "service", "node-scheduler") or {}
        ports = {port["name"]: port["nodePort"] for port in service["spec"]["ports"]}
        assert urlsplit(cluster.scheduler_address).port == ports["tcp-comm"]
        assert urlsplit(cluster.dashboard_link).port == ports["http-dashboard"]
        assert works(cluster)


def test_a_load_balancer_is_waited_for_and_used(namespace: str) -> None:
    def balanced() -> None:
        eventually("the Service", lambda: get(namespace, "service", "balanced-scheduler"))
        status = {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER}]}}}
        patch = ["--subresource=status", "--type=merge", "-p", json.dumps(status)]
        kubectl("patch", "service", "balanced-scheduler", "-n", namespace, *patch)

    with ThreadPoolExecutor() as provider:
        provided = provider.submit(balanced)
        with KubeCluster(
            name="balanced",
            n_workers=1,
            namespace=namespace,
            scheduler_service_type="LoadBalancer",
            quiet=True,
        ) as cluster:
            provided.result()
            assert cluster.scheduler_address == f"tcp://{LOAD_BALANCER}:8786"
            assert works(cluster)


def test_an_address_that_the_user_names_is_taken(namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples" / "cluster.yaml"))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/flights", "--timeout=60s")
    host = (get(namespace, "service", "flights-scheduler") or {})["spec"]["clusterIP"]
    with KubeCluster.from_name(
        "flights",
        namespace=namespace,
        scheduler_address=f"tcp://{host}:8786",
        dashboard_address=f"http://{host}:8787",
        quiet=True,
    ) as cluster:
        assert cluster.scheduler_address == f"tcp://{host}:8786"
        assert cluster.dashboard_link == f"http://{host}:8787/status"
        assert works(cluster)


def test_jupyter_is_served_beside_the_dashboard(namespace: str) -> None:
    image = IMAGE.read_text().strip()
    with KubeCluster(
        name="notes", n_workers=0, namespace=namespace, image=image, jupyter=True, quiet=True
    ) as cluster:
        assert cluster.jupyter_link.endswith("/jupyter/lab")
        # the image has Jupyter's server, and not its pages
        with urllib.request.urlopen(cluster.jupyter_link.replace("/lab", "/api"), timeout=30) as answer:
            assert json.load(answer)["version"]
