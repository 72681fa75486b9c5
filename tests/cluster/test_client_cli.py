"""`dask operator` on a real Kubernetes."""

import os
import re
import signal
import subprocess
import urllib.request

import yaml

from tests.support.kubectl import KUBECONFIG, ROOT, apply, get, kubectl

DASK = ROOT / ".venv" / "bin" / "dask"
ENVIRONMENT = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}


def dask(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A call of `dask operator`."""
    command = [str(DASK), "operator", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_a_cluster_is_generated_listed_scaled_opened_and_deleted(namespace: str) -> None:
    made = dask("gen", "cluster", "made", "--n-workers=0", "-n", namespace, "--dry-run=server").stdout
    assert get(namespace, "daskcluster", "made") is None
    apply(namespace, yaml.safe_load(made))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/made", "--timeout=60s")
    assert re.search(
        rf"{namespace} +made +0/0 +Running +SchedulerReady", dask("list", "-n", namespace).stdout
    )
    assert "Scheduler at" in dask("logs", "made", "-n", namespace, "--scheduler").stdout
    _carries_the_dashboard("made", namespace)
    dask("scale", "made", "1", "-n", namespace)
    group = get(namespace, "daskworkergroup", "made-default") or {}
    assert group["spec"]["worker"]["replicas"] == 1
    dask("delete", "made", "-n", namespace)
    assert get(namespace, "daskcluster", "made") is None
    assert "there is no DaskCluster made" in dask("delete", "made", "-n", namespace, check=False).stderr


def _carries_the_dashboard(name: str, namespace: str) -> None:
    command = [str(DASK), "operator", "dashboard", name, "-n", namespace, "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as carrying:
        try:
            assert carrying.stdout is not None
            link = carrying.stdout.readline().removeprefix("dashboard: ").strip()
            with urllib.request.urlopen(link, timeout=30) as answer:
                assert answer.status == 200
        finally:
            carrying.send_signal(signal.SIGINT)
        assert carrying.wait(30) == 0
        assert carrying.stdout.read() == "closed\n"


def test_what_the_api_server_would_refuse_is_not_printed(namespace: str) -> None:
    apply(namespace, yaml.safe_load(dask("gen", "cluster", "there", "--n-workers=0").stdout))
    refused = dask("gen", "cluster", "there", "-n", namespace, "--dry-run=server", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already exists" in refused.stderr
