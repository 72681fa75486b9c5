"""Every public function has an example, and the examples that need no cluster are run."""

import doctest
import importlib
import pkgutil

import dask_operator_client
import pytest
from dask_operator_client.discovery import discover

NEED_A_CLUSTER = {"dask_operator_client.cluster", "dask_operator_client.discovery"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(dask_operator_client.__path__, "dask_operator_client.")
    if module.name not in NEED_A_CLUSTER
]
PUBLIC: dict[str, object] = {
    **{name: getattr(dask_operator_client, name) for name in dask_operator_client.__all__},
    **{f"KubeCluster.{name}": member for name, member in vars(dask_operator_client.KubeCluster).items()},
    "discovery.discover": discover,
}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_right(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", [name for name in PUBLIC if "._" not in name])
def test_what_is_public_has_an_example(name: str) -> None:
    assert ">>> " in str(PUBLIC[name].__doc__)
