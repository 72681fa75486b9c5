"""However a start ends, no cluster of it is left behind, and none of anybody else's is touched."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from dask_operator_client import KubeCluster, errors

from tests.support.stub_api import StubApi, stub_api

PROGRAM = """
from dask_operator_client import KubeCluster
KubeCluster(name="c", quiet=True)
"""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    with stub_api(tmp_path / "kubeconfig") as api:
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield api


def start(**keywords: object) -> None:
    """A start that nobody answers, so that it fails."""
    KubeCluster(name="c", resource_timeout=1, quiet=True, **keywords)  # type: ignore[arg-type]


def test_a_start_that_no_operator_answers_leaves_nothing_and_says_how_to_install_one(api: StubApi) -> None:
    with pytest.raises(errors.OperatorMissing, match="helm install"):
        start()
    assert (api.posts, api.clusters) == (1, {})


def test_a_cluster_that_is_to_stay_stays(api: StubApi) -> None:
    with pytest.raises(errors.OperatorMissing):
        start(shutdown_on_close=False)
    assert "c" in api.clusters


def test_a_creation_whose_answer_was_lost_is_found_again_and_taken_away(api: StubApi) -> None:
    api.lost_answers = 1
    with pytest.raises(errors.OperatorMissing):
        start(create_mode="create-only")
    assert (api.posts, api.clusters) == (2, {})


def test_a_cluster_that_was_there_is_left_alone_even_if_it_was_to_be_deleted_at_the_end(api: StubApi) -> None:
    theirs = {"metadata": {"name": "c", "namespace": "default", "uid": "theirs"}, "spec": {}}
    api.clusters["c"] = theirs
    for keywords in (
        {"n_workers": 2},
        {"create_mode": "create-only"},
        {"n_workers": 2, "shutdown_on_close": True},
    ):
        with pytest.raises(errors.ClusterExists):
            start(**keywords)
    assert api.clusters == {"c": theirs}


@pytest.mark.parametrize("lost_answers", [0, 1])
def test_a_process_that_is_interrupted_while_it_waits_takes_its_cluster_with_it(
    api: StubApi, lost_answers: int
) -> None:
    api.lost_answers = lost_answers
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, env=os.environ
    ) as made:
        assert api.created.wait(60)
        made.send_signal(signal.SIGINT)
        _, told = made.communicate(timeout=60)
    assert told.strip().endswith("KeyboardInterrupt")
    assert "never awaited" not in told
    assert "was destroyed" not in told
    assert api.clusters == {}


def test_a_process_that_is_interrupted_while_it_creates_takes_its_cluster_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, at_once = threading.Event(), StubApi._post

    async def post_late(api: StubApi, request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(1)
        return await at_once(api, request)

    monkeypatch.setattr(StubApi, "_post", post_late)
    with stub_api(tmp_path / "kubeconfig") as api:
        env = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig")}
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, env=env
        ) as made:
            assert asked.wait(60)
            made.send_signal(signal.SIGINT)
            _, told = made.communicate(timeout=60)
        assert told.strip().endswith("KeyboardInterrupt")
        assert "never retrieved" not in told
        assert api.created.wait(5)
        assert api.clusters == {}
