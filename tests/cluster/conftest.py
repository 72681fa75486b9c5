"""Fixtures of the cluster tests: namespaces of their own, removed afterwards."""

import secrets
from collections.abc import Iterator

import pytest

from tests.support.kubectl import kubectl


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    name = f"test-{request.node.originalname.removeprefix('test_')[:30].replace('_', '-')}-{secrets.token_hex(3)}"
    name = name.replace("--", "-")
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
