"""A plugin, installed on top of the operator's image, works beside it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.dask import dask_cluster, fake_worker_pods
from tests.support.kubectl import ROOT, apply, eventually, get, kubectl
from tests.support.operator_process import DEPLOYMENT, NAMESPACE, leading_pod, wait_rolled_out
from tests.support.outage import need_local_cluster

from .test_crds import CHART, ok, run

pytestmark = pytest.mark.alone

RELEASE = ("--namespace", NAMESPACE, "--reuse-values", "--wait", "--timeout=90s")
VALUES = ROOT / "examples" / "plugin" / "values.yaml"


@pytest.fixture
def with_plugin() -> Iterator[str]:
    """The release with the example plugin in its image, and the name of its Pod; as it was at the end."""
    need_local_cluster()
    image = "localhost/dask-operator-with-plugin:dev"
    subprocess.run(["make", "--silent", "plugin-image"], cwd=ROOT, check=True, timeout=300)
    try:
        ok(run("helm", "upgrade", DEPLOYMENT, str(CHART), *RELEASE, f"--values={VALUES}"))
        wait_rolled_out()
        pod = leading_pod() or {}
        assert pod["spec"]["containers"][0]["image"] == image
        yield pod["metadata"]["name"]
    finally:
        ok(run("helm", "rollback", DEPLOYMENT, "--namespace", NAMESPACE, "--wait", "--timeout=90s"))
        wait_rolled_out()


def test_the_example_makes_a_config_map_for_every_scheduler(namespace: str, with_plugin: str) -> None:
    log = kubectl("logs", "-n", NAMESPACE, with_plugin)
    assert "plugin scheduler-contacts" in log
    apply(namespace, dask_cluster("known", 0, scheduler={"spec": fake_worker_pods()}))
    contact = eventually("the ConfigMap", lambda: get(namespace, "configmap", "known-scheduler-address"), 20)
    address = f"tcp://known-scheduler.{namespace}.svc:8786"
    assert contact["data"] == {"DASK_SCHEDULER_ADDRESS": address}
    said = f"the address of known-scheduler is in the ConfigMap {contact['metadata']['name']}"
    about = f"[Service {namespace}/known-scheduler]"

    def logged() -> bool:
        lines = kubectl("logs", "-n", NAMESPACE, with_plugin).splitlines()
        return any(said in line and about in line for line in lines)

    eventually("the handler to say so", logged, 20)
    cluster = get(namespace, "daskcluster", "known") or {}
    assert cluster["status"]["schedulerAddress"] == address
    kubectl("delete", "daskcluster", "known", "-n", namespace)
    eventually("it to go", lambda: not get(namespace, "configmap", "known-scheduler-address"), 30)
