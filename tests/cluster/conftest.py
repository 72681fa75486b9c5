"""Fixtures of the cluster tests: namespaces of their own, and the rights in use, which are judged at the end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.namespaces import fresh_namespace

BEGAN = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
"""When the tests of this process began: the API server's audit log is read from there on."""

LAST = "test_rights_in_use.py"

_HERE = Path(__file__).parent


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
def whole_run(request: pytest.FixtureRequest) -> bool:
    """Whether this run has tests of every file of this folder, none of them chosen by name."""
    ran = {item.path for item in request.session.items}
    chosen = any("::" in argument for argument in request.config.args) or request.config.option.keyword
    return not chosen and ran >= set(_HERE.glob("test_*.py"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Judge the rights in use after everything else has used them."""
    items.sort(key=lambda item: item.path.name == LAST)
