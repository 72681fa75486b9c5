"""What people have written for dask-kubernetes works on: programs with another import, manifests as they are."""

from collections.abc import Iterator

import dask.config
import pytest
import yaml
from dask_operator_client import KubeCluster
from distributed import Client

from tests.support.dask import wait_connected, workers
from tests.support.kubectl import ROOT, Tree, apply, eventually, get, kubectl

IMAGE = ROOT / "build" / "image-tests"

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


@pytest.fixture
def space(namespace: str) -> Iterator[str]:
    """A namespace that is the default one."""
    with dask.config.set({"kubernetes.namespace": namespace}):
        yield namespace


def worker_spec(namespace: str, group: str) -> Tree:
    """What a worker group is to have."""
    spec: Tree = (get(namespace, "daskworkergroup", group) or {})["spec"]["worker"]
    return spec


def test_a_cluster_is_made_scaled_and_found_again_by_its_name(space: str) -> None:
    made = KubeCluster(name="my-cluster", n_workers=3, env={"FOO": "bar"})
    made.scale(5)
    assert worker_spec(space, "my-cluster-default")["replicas"] == 5
    cluster = KubeCluster.from_name("my-cluster")
    cluster.scale(2)
    client = Client(cluster)
    assert client.submit(sum, [1, 2]).result(timeout=60) == 3
    client.close()
    cluster.close()
    assert get(space, "daskcluster", "my-cluster") is not None
    made.close()
    assert get(space, "daskcluster", "my-cluster") is None


def test_groups_with_more_memory_than_there_is_are_asked_for_all_the_same(space: str) -> None:
    few = {"requests": {"memory": "16Ti"}, "limits": {"memory": "16Ti"}}
    much = {"requests": {"memory": "64Ti"}, "limits": {"memory": "64Ti"}}
    with KubeCluster(name="foo", n_workers=5, resources=few) as cluster:
        cluster.add_worker_group(name="highmem", n_workers=2, resources=much)
        pods = eventually("the Pods", lambda: workers(space, "foo-highmem")[1:])
        assert pods[0]["spec"]["containers"][0]["resources"] == much
        assert worker_spec(space, "foo-default")["resources"] == few
        assert worker_spec(space, "foo-highmem")["replicas"] == 2


def test_a_cluster_adapts_until_it_is_scaled(space: str) -> None:
    with KubeCluster(name="my-cluster", n_workers=1) as cluster:
        cluster.adapt(minimum=1, maximum=100)
        autoscaler = get(space, "daskautoscaler", "my-cluster") or {}
        bounds = {key: autoscaler["spec"][key] for key in ("cluster", "minimum", "maximum")}
        assert bounds == {"cluster": "my-cluster", "minimum": 1, "maximum": 100}
        cluster.scale(0)
        assert get(space, "daskautoscaler", "my-cluster") is None


def container(name: str, *args: str, **more: object) -> Tree:
    """A container as old manifests have it, with the commands of old images."""
    env = [{"name": "FOO", "value": "bar"}]
    image = IMAGE.read_text().strip()
    return {"name": name, "image": image, "args": [*args], "env": env, "resources": None, **more}


def manifest() -> Tree:
    """A DaskCluster as dask-kubernetes has always written it."""
    ports = {"tcp-comm": 8786, "http-dashboard": 8787}
    probe = {"httpGet": {"path": "/health", "port": "http-dashboard"}}
    scheduler = container(
        "scheduler",
        "dask-scheduler",
        "--host",
        "0.0.0.0",
        ports=[{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()],
        livenessProbe={**probe, "initialDelaySeconds": 15, "periodSeconds": 20},
        readinessProbe={**probe, "initialDelaySeconds": 5, "periodSeconds": 10},
    )
    service = {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": "my-cluster", "dask.org/component": "scheduler"},
        "ports": [
            {"name": name, "port": port, "protocol": "TCP", "targetPort": name}
            for name, port in ports.items()
        ],
    }
    worker = container("worker", "dask-worker", "--name", "$(DASK_WORKER_NAME)")
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": "my-cluster"},
        "spec": {
            "scheduler": {"service": service, "spec": {"containers": [scheduler]}},
            "worker": {"cluster": "my-cluster", "replicas": 1, "spec": {"containers": [worker]}},
        },
    }


def test_a_manifest_of_old_runs_on_an_image_of_old_and_is_scaled_by_kubectl(space: str) -> None:
    apply(space, manifest())
    wait_connected(space, "my-cluster", 1)
    kubectl("scale", "-n", space, "--replicas=2", "daskworkergroup", "my-cluster-default")
    wait_connected(space, "my-cluster", 2)
    with KubeCluster.from_name("my-cluster", quiet=True) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6


def test_a_manifest_of_old_in_a_file_is_a_custom_spec(
    space: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("spec") / "cluster.yaml"
    file.write_text(yaml.safe_dump(manifest()))
    with KubeCluster(custom_cluster_spec=str(file), n_workers=0, quiet=True) as cluster:
        assert cluster.name == "my-cluster"
        assert worker_spec(space, "my-cluster-default")["replicas"] == 0
