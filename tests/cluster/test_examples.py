"""The programs in examples/ do what they say, on the real cluster."""

import os
import subprocess
import sys

from tests.support.jobs import ended, only_left
from tests.support.kubectl import KUBECONFIG, KUBECTL, ROOT, kubectl


def test_the_flights_are_analysed_and_no_result_is_computed_again_while_workers_come_and_go(
    namespace: str,
) -> None:
    kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples" / "cluster.yaml"))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/flights", "--timeout=60s")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "flights.py"), "--namespace", namespace, "--scale"],
        env={**os.environ, "KUBECONFIG": str(KUBECONFIG), "KUBECTL": str(KUBECTL)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "336,776 flights" in done.stdout
    assert "0 computed again" in done.stdout


def test_a_classifier_is_trained_by_a_job(namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples" / "training-job.yaml"))
    ended(namespace, "flights-training", "Complete", "Completed", 240)
    assert "area under the curve" in kubectl("logs", "flights-training-runner", "-n", namespace)
    only_left(namespace, "flights-training-runner")
