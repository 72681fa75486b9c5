"""The checks that come with Helm's own tools, and with those around it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from . import api_schemas
from .support import CHART, ROOT, Renderer, Tree, run, tool

CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASES = ("1.30", "1.33", "1.36")
"""The oldest Kubernetes that is supported, one in between, and the one the other tests run on."""

README = CHART / "README.md"


@pytest.fixture(scope="session", params=RELEASES)
def schemas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schemas of a Kubernetes release and of the Prometheus operator."""
    folder = tmp_path_factory.mktemp(f"schemas-{request.param}")
    api_schemas.write_kubernetes(request.param, folder)
    api_schemas.write_prometheus(folder)
    return folder


def kubeconform(schemas: Path, text: str) -> str:
    """What kubeconform says of objects; empty if nothing."""
    location = f"{schemas}/{api_schemas.LOCATION}"
    command = [str(tool("kubeconform")), "-strict", "-schema-location", location, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.name)
def test_kubernetes_takes_what_is_rendered(render: Renderer, schemas: Path, values: Path) -> None:
    assert kubeconform(schemas, render.text(yaml.safe_load(values.read_text()))) == ""


def test_a_field_that_kubernetes_does_not_have_would_be_found(schemas: Path) -> None:
    pod: Tree = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    for spec in ({"containers": [{"name": "x", "imag": "x"}]}, {"containers": [{"image": "x"}]}):
        assert kubeconform(schemas, yaml.safe_dump({**pod, "spec": spec}))
    assert kubeconform(schemas, yaml.safe_dump({**pod, "spec": {"containers": [{"name": "x"}]}})) == ""


def test_the_chart_says_which_kubernetes_it_is_for() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={RELEASES[0]}.0-0"


def test_the_values_of_the_example_plugin_are_values_of_the_chart(render: Renderer) -> None:
    plugin = yaml.safe_load((ROOT / "examples" / "plugin" / "values.yaml").read_text())
    assert "dask-operator-with-plugin" in render.text(plugin)


def test_an_older_kubernetes_is_refused(helm: Path) -> None:
    done = run(helm, "template", "release", CHART, "--kube-version", "1.29.9")
    assert done.returncode
    assert "incompatible with Kubernetes v1.29.9" in done.stderr


def test_chart_testing_finds_nothing_to_complain_of() -> None:
    """It runs helm lint with each of ci/, the unit tests, and looks at the form of Chart.yaml and values.yaml."""
    schema, style = ROOT / "build" / "ct" / "chart_schema.yaml", ROOT / "build" / "ct" / "lintconf.yaml"
    done = run(tool("ct"), "lint", "--charts", CHART, "--chart-yaml-schema", schema, "--lint-conf", style)
    assert done.returncode == 0, done.stdout + done.stderr
    for values in CI_VALUES:
        assert values.name in done.stdout
    assert "Test Suites:" in done.stdout


def test_the_cases_of_chart_testing_are_those_that_people_have() -> None:
    names = {path.name.removesuffix("-values.yaml") for path in CI_VALUES}
    assert {"default", "namespaced", "ha", "sidecar", "everything", "minimal"} <= names


def test_the_readme_is_what_helm_docs_makes_of_the_values() -> None:
    done = run(tool("helm-docs"), "--chart-search-root", CHART, "--dry-run", "--sort-values-order", "file")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == README.read_text().strip(), "run `make chart`"


def test_the_programs_of_the_chart_can_be_read_by_the_oldest_python() -> None:
    for program in (CHART / "files").glob("*.py"):
        compile(program.read_text(), program.name, "exec")
    assert sys.version_info >= (3, 11)
