"""`dask operator`, as far as it goes without a Kubernetes."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from dask_operator_client.cli import main


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Kubernetes is configured."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def call(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_the_dask_command_has_it() -> None:
    (plugin,) = entry_points(group="dask_cli", name="operator")
    assert plugin.load() is main


def test_a_cluster_is_printed_in_its_short_form() -> None:
    done = call(
        "gen",
        "cluster",
        "flights",
        "--n-workers=3",
        "--env=A=b=c",
        "--limit=memory=16Gi",
        "--request=cpu=2",
        "-nteam",
    )
    assert yaml.safe_load(done.stdout) == {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": "flights", "namespace": "team"},
        "spec": {
            "scheduler": {"env": [{"name": "A", "value": "b=c"}]},
            "worker": {
                "replicas": 3,
                "env": [{"name": "A", "value": "b=c"}],
                "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "16Gi"}},
            },
        },
    }


def test_a_whole_cluster_has_its_pods_written_out() -> None:
    spec = yaml.safe_load(call("gen", "cluster", "flights", "--full", "--image=a", "--jupyter").stdout)[
        "spec"
    ]
    (container,) = spec["scheduler"]["spec"]["containers"]
    assert container["args"][-1] == "--jupyter"
    assert spec["image"] == "a"


def test_a_job_an_autoscaler_and_a_group_are_printed() -> None:
    job = yaml.safe_load(call("gen", "job", "etl", "--image=a", "--", "python", "etl.py").stdout)
    assert job["spec"]["job"]["spec"]["containers"] == [
        {"name": "job", "image": "a", "args": ["python", "etl.py"]}
    ]
    scaler = yaml.safe_load(call("gen", "autoscaler", "flights", "--maximum=9").stdout)
    assert scaler["spec"] == {"cluster": "flights", "minimum": 0, "maximum": 9}
    group = yaml.safe_load(call("gen", "workergroup", "flights", "large", "--n-workers=1").stdout)
    assert (group["metadata"], group["spec"]) == (
        {"name": "flights-large"},
        {"worker": {"replicas": 1}, "cluster": "flights"},
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("gen", "cluster", "Not.Valid"), "name: name 'Not.Valid' must start with a letter"),
        (("gen", "cluster", "c", "--n-workers=-1"), "n_workers must be 0 or more"),
        (("gen", "cluster", "c", "--env=A"), "--env must be NAME=VALUE"),
        (("gen", "cluster", "c", "--limit=memory=16GB"), "must be a quantity"),
        (("gen", "job", "c", "python"), "--image is needed"),
        (("gen", "autoscaler", "c", "--minimum=2", "--maximum=1"), "must not be less"),
        (("scale", "c", "2", "--worker-group=A"), "worker-group"),
    ],
)
def test_a_wrong_use_is_told_before_kubernetes_is_asked(words: tuple[str, ...], answer: str) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert answer in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("logs", "c"),
        ("scale", "c", "2"),
        ("port-forward", "c"),
        ("dashboard", "c"),
        ("delete", "c"),
        ("gen", "cluster", "c", "--dry-run=server"),
    ],
)
def test_without_kubernetes_each_command_says_so_without_a_traceback(words: tuple[str, ...]) -> None:
    done = call(*words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: no Kubernetes configuration")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_be_taught_to_complete(shell: str) -> None:
    assert "_DASK_COMPLETE" in call("completion", shell).stdout
