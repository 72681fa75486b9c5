"""The examples in the client's docstrings are run, on a cluster called my-cluster."""

import asyncio
import doctest
import importlib
from collections.abc import Iterator

import dask.config
import dask_operator_client
import pytest
from dask_operator_client import KubeCluster

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")
MODULES = ("dask_operator_client", "dask_operator_client.cluster", "dask_operator_client.discovery")


@pytest.fixture
def cluster(namespace: str) -> Iterator[KubeCluster]:
    """The cluster of the examples, in the namespace that is theirs by configuration."""
    with (
        dask.config.set({"kubernetes.namespace": namespace}),
        KubeCluster(name="my-cluster", n_workers=2, env={"FOO": "bar"}, quiet=True) as cluster,
    ):
        yield cluster


def test_the_examples_do_what_they_say(cluster: KubeCluster) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    names = {**vars(dask_operator_client), "cluster": cluster, "asyncio": asyncio}
    for module in MODULES:
        for example in doctest.DocTestFinder().find(importlib.import_module(module), extraglobs=names):
            runner.run(example)
    assert runner.failures == 0
    assert runner.tries > len(vars(KubeCluster)) / 2
