"""KubeCluster, as far as it goes without a Kubernetes."""

import threading
from pathlib import Path
from typing import Any

import pytest
from dask_operator_client import ClusterError, KubeCluster


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Kubernetes is configured."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.mark.parametrize(
    ("keywords", "keyword"),
    [
        ({"name": "Not.Valid"}, "name"),
        ({"n_workers": "10"}, "n_workers"),
        ({"n_workers": -1}, "n_workers"),
        ({"resources": {"limit": {}}}, "resources"),
        ({"env": "FOO=bar"}, "env"),
        ({"image": ""}, "image"),
        ({"namespace": 5}, "namespace"),
        ({"worker_command": []}, "worker_command"),
        ({"resource_timeout": 0}, "resource_timeout"),
        ({"create_mode": "connect-maybe"}, "connect-maybe"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_a_bad_keyword_is_refused_by_name_before_kubernetes_is_asked(
    keywords: dict[str, Any], keyword: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=keyword):
        KubeCluster(**keywords)


@pytest.mark.usefixtures("nowhere")
def test_without_kubernetes_the_error_says_so_and_nothing_is_left_running() -> None:
    with pytest.raises(ClusterError, match="no Kubernetes configuration"):
        KubeCluster(name="nowhere", quiet=True)
    left = [thread for thread in threading.enumerate() if thread.name == "KubeCluster nowhere"]
    for thread in left:
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.usefixtures("nowhere")
async def test_an_asynchronous_cluster_does_nothing_before_it_is_awaited() -> None:
    cluster = KubeCluster(name="later", quiet=True, asynchronous=True)
    assert cluster.name == "later"
    assert cluster.dashboard_link == ""
    with pytest.raises(ClusterError, match="not connected"):
        await cluster.scale(3)
    with pytest.raises(ClusterError, match="no Kubernetes configuration"):
        await cluster
    await cluster.close()


@pytest.mark.usefixtures("nowhere")
async def test_an_asynchronous_cluster_that_was_never_awaited_can_be_closed() -> None:
    cluster = KubeCluster(quiet=True, asynchronous=True)
    assert cluster.name.startswith("dask-")
    await cluster.close()
    await cluster.close()
