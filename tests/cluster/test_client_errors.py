"""What a KubeCluster does when it cannot have what was asked for, and when its process is interrupted."""

import signal
import subprocess
import sys
import time

import pytest
from dask_operator_client import KubeCluster, errors, make_cluster_spec

from tests.support.kubectl import apply, eventually, get, kubectl

NOWHERE = {"nodeSelector": {"no-node-has": "this"}}

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


def test_a_scheduler_that_crashes_is_an_error_with_its_last_words_and_the_next_command(
    namespace: str,
) -> None:
    pod = {"containers": [{"command": ["sh", "-c", "echo these are my last words; exit 3"]}]}
    start = time.monotonic()
    with pytest.raises(errors.SchedulerCrashed) as caught:
        KubeCluster(name="crash", namespace=namespace, scheduler_pod=pod, n_workers=0, quiet=True)
    assert time.monotonic() - start < 60
    assert "these are my last words" in caught.value.log
    assert f"kubectl get events -n {namespace}" in str(caught.value)
    assert get(namespace, "daskcluster", "crash") is None


def test_workers_that_cannot_start_are_an_error_where_they_were_asked_to_be_waited_for(
    namespace: str,
) -> None:
    with pytest.raises(errors.ImagePullFailed, match="no-such-image"):
        KubeCluster(
            name="workers",
            namespace=namespace,
            n_workers=1,
            worker_pod={"containers": [{"image": "localhost/no-such-image:1"}]},
            wait_for_workers=True,
            quiet=True,
        )
    assert get(namespace, "daskcluster", "workers") is None


def test_a_field_that_no_pod_has_is_refused_within_seconds_in_the_api_server_s_words(namespace: str) -> None:
    start = time.monotonic()
    with pytest.raises(errors.PodRefused, match="nodeSelectr"):
        KubeCluster(name="typo", namespace=namespace, scheduler_pod={"nodeSelectr": {"a": "b"}}, quiet=True)
    assert time.monotonic() - start < 30


def test_keywords_are_laid_over_a_whole_spec_and_the_pods_have_both(namespace: str) -> None:
    spec = make_cluster_spec("whole", n_workers=3, env={"FOO": "spec", "KEPT": "yes"})
    with KubeCluster(
        custom_cluster_spec=spec,
        namespace=namespace,
        n_workers=1,
        env={"FOO": "keyword"},
        scheduler_pod={"metadata": {"labels": {"team": "a"}}},
        idle_timeout=3600,
        wait_for_workers=True,
        quiet=True,
    ) as cluster:
        assert len(cluster.scheduler_info["workers"]) <= 1
        pod = get(namespace, "pod", "whole-scheduler") or {}
        found = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
        assert (found["FOO"], found["KEPT"], pod["metadata"]["labels"]["team"]) == ("keyword", "yes", "a")
        assert (get(namespace, "daskcluster", "whole") or {})["spec"]["idleTimeout"] == 3600


def test_an_interrupted_start_leaves_no_cluster_behind(namespace: str) -> None:
    program = f"""
from dask_operator_client import KubeCluster
KubeCluster(name="stopped", namespace="{namespace}", scheduler_pod={NOWHERE!r}, quiet=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as made:
        eventually("the cluster to exist", lambda: get(namespace, "daskcluster", "stopped"))
        made.send_signal(signal.SIGINT)
        _, errors_told = made.communicate(timeout=30)
    assert errors_told.strip().endswith("KeyboardInterrupt")
    assert get(namespace, "daskcluster", "stopped") is None


def test_only_connecting_neither_creates_nor_deletes(namespace: str) -> None:
    spec = make_cluster_spec("theirs", n_workers=0)
    apply(namespace, spec)
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "daskcluster/theirs", "--timeout=60s")
    with pytest.raises(errors.ClusterDiffers, match="priority_class"):
        KubeCluster.from_name("theirs", namespace=namespace, priority_class="high", quiet=True)
    with KubeCluster(custom_cluster_spec=spec, namespace=namespace, quiet=True):
        pass
    assert get(namespace, "daskcluster", "theirs") is not None
