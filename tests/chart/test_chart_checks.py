"""The checks that come with Helm's own tools."""

from pathlib import Path

import pytest

from .support import CHART, run, tool

CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.name)
def test_helm_lint_has_nothing_to_say_of_the_chart(helm: Path, values: Path) -> None:
    done = run(helm, "lint", "--strict", "--values", values, CHART)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_defaults_are_among_the_cases_of_chart_testing() -> None:
    assert "default-values.yaml" in {path.name for path in CI_VALUES}


def test_the_unit_tests_of_the_templates_pass() -> None:
    done = run(tool("helm-unittest"), "--strict", CHART)
    assert done.returncode == 0, done.stdout + done.stderr
