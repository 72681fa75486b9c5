"""Fixtures of the cluster tests: namespaces of their own, and the beginning of the run whose calls are judged."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.kubectl import KUBECONFIG
from tests.support.namespaces import fresh_namespace

WHOLE_RUN = os.environ.get("TESTS_BEGAN", "")
"""When the run of all cluster tests began, of which this process makes a part: ``2026-01-02T03:04:05Z``."""

BEGAN = WHOLE_RUN or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="session", autouse=True)
def kubeconfig() -> Iterator[str]:
    """The test cluster's configuration, for this process and the programs it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(KUBECONFIG))
        yield str(KUBECONFIG)


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    hint = f"test-{request.node.originalname.removeprefix('test_')[:30].replace('_', '-')}".rstrip("-")
    with fresh_namespace(hint) as name:
        yield name


@pytest.fixture(scope="session")
def since() -> str:
    """When this run began, as the audit log writes times."""
    return BEGAN


@pytest.fixture(scope="session")
def whole_run() -> bool:
    """Whether all cluster tests have been made since then."""
    return bool(WHOLE_RUN)
