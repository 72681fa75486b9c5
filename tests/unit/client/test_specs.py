"""Whole specs to start from."""

import pytest
from dask_operator_client import make_cluster_spec, make_scheduler_spec, make_worker_spec
from dask_operator_client.keywords import judged


def test_a_whole_cluster_has_everything_that_people_edit() -> None:
    body = make_cluster_spec("my-cluster", "dask:1", 3, {"limits": {"cpu": 2}}, {"FOO": "bar"}, jupyter=True)
    (scheduler,) = body["spec"]["scheduler"]["spec"]["containers"]
    (worker,) = body["spec"]["worker"]["spec"]["containers"]
    assert scheduler["args"] == ["dask", "scheduler", "--host", "0.0.0.0", "--jupyter"]
    assert {port["name"] for port in scheduler["ports"]} == {"tcp-comm", "http-dashboard"}
    assert {"readinessProbe", "livenessProbe"} <= scheduler.keys()
    assert worker["args"] == ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"]
    assert worker["env"] == scheduler["env"] == [{"name": "FOO", "value": "bar"}]
    assert worker["image"] == scheduler["image"] == "dask:1"
    assert worker["resources"] == {"limits": {"cpu": "2"}}
    assert body["spec"]["worker"]["replicas"] == 3
    assert body["spec"]["scheduler"]["service"]["selector"]["dask.org/cluster-name"] == "my-cluster"


def test_a_whole_cluster_is_a_custom_spec() -> None:
    body = make_cluster_spec("my-cluster")
    keywords, options = judged({"custom_cluster_spec": body})
    assert (keywords.custom, options.name) == (body, "my-cluster")


def test_scheduler_and_worker_share_nothing() -> None:
    body = make_cluster_spec("my-cluster", env={"FOO": "bar"})
    body["spec"]["worker"]["spec"]["containers"][0]["env"][0]["value"] = "changed"
    assert body["spec"]["scheduler"]["spec"]["containers"][0]["env"] == [{"name": "FOO", "value": "bar"}]


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"n_workers": -1}, "n_workers"), ({"resources": {"limit": {}}}, "limits"), ({"image": ""}, "image")],
)
def test_a_bad_keyword_is_refused_by_name(keywords: dict[str, object], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make_worker_spec(**keywords)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scheduler_service_type"):
        make_scheduler_spec("c", scheduler_service_type="x")
