"""The objects that are built: the user's words stand, the gaps are filled, nothing is shared."""

import copy
from typing import Any

import pytest
from dask_operator.desired import Image, scheduler_digest, scheduler_pod, worker_digest, worker_pod
from dask_operator.desired.handed_down import inherited
from dask_operator.desired.podspec import merged_env
from dask_operator_api import labels
from dask_operator_api.manifests import Manifest
from dask_operator_api.specs import Metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.worlds import cluster, group

JSON: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(0, 9) | st.text("abc", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)

VARIABLES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["A", "B", "DASK_WORKER_NAME"]), "value": st.text("12$()AB")}
    ),
    max_size=4,
    unique_by=lambda variable: variable["name"],
)

CONTAINERS = st.fixed_dictionaries(
    {"name": st.sampled_from(["worker", "scheduler", "dask"])},
    optional={
        "image": st.just("mine:1"),
        "args": st.just(["dask", "worker", "--nthreads", "2"]),
        "command": st.just(["run-me"]),
        "env": VARIABLES,
        "ports": st.just([{"name": "http-dashboard", "containerPort": 9999}]),
        "readinessProbe": st.just({"exec": {"command": ["true"]}}),
        "livenessProbe": st.just({"exec": {"command": ["true"]}}),
        "lifecycle": st.just({"preStop": {"exec": {"command": ["bye"]}}}),
        "resources": st.just({"limits": {"memory": "1Gi"}}),
        "securityContext": JSON,
        "someNewField": JSON,
    },
)

TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(CONTAINERS, min_size=1, max_size=2, unique_by=lambda c: c["name"]),
        "restartPolicy": st.sampled_from(["Always", "OnFailure", "Never"]),
        "terminationGracePeriodSeconds": st.integers(0, 100),
        "nodeSelector": st.just({"pool": "blue"}),
        "fieldOfTheFuture": JSON,
    },
)


def built_worker(template: Manifest, **worker: Any) -> Manifest:
    """The worker Pod's spec for a template of the group."""
    of = group(worker={"spec": template, **worker})
    spec: Manifest = worker_pod(cluster(), of, Image("default:1", ""), 1)["spec"]
    return spec


def built_scheduler(template: Manifest, **scheduler: Any) -> Manifest:
    of = cluster(spec={"scheduler": {"spec": template, **scheduler}})
    spec: Manifest = scheduler_pod(of, "default:1", "default:1")["spec"]
    return spec


def environment(container: Manifest) -> dict[str, Any]:
    return {variable["name"]: variable.get("value") for variable in container["env"]}


# -- the user's words stand


@settings(max_examples=80)
@given(TEMPLATES, st.sampled_from([built_worker, built_scheduler]))
def test_what_the_user_wrote_is_never_overwritten(template: Manifest, build: Any) -> None:
    spec = build(copy.deepcopy(template))
    for key, value in template.items():
        if key not in ("containers", "restartPolicy"):
            assert spec[key] == value
    for written, made in zip(template.get("containers", []), spec["containers"], strict=False):
        for key, value in written.items():
            if key != "env":
                assert made[key] == value
        for variable in written.get("env", []):
            assert variable in made["env"]


@settings(max_examples=80)
@given(TEMPLATES, st.sampled_from([built_worker, built_scheduler]))
def test_every_pod_ends_for_good_when_its_container_ended_well(template: Manifest, build: Any) -> None:
    policy = build(template)["restartPolicy"]
    assert policy == ("Never" if template.get("restartPolicy") == "Never" else "OnFailure")


@settings(max_examples=80)
@given(TEMPLATES)
def test_building_neither_changes_nor_shares_what_it_was_given(template: Manifest) -> None:
    of = group(
        worker={"spec": template, "env": [{"name": "X", "value": "1"}], "resources": {"limits": {"a": "1"}}}
    )
    parent = cluster(spec={"scheduler": {"spec": template}})
    before, first = copy.deepcopy((of, parent, template)), worker_pod(parent, of, Image("i", ""), 1)
    for made in (worker_pod(parent, of, Image("i", ""), 1), scheduler_pod(parent, "i", "i")):
        _scribble(made)
    assert (of, parent, template) == before
    assert worker_pod(parent, of, Image("i", ""), 1) == first


def _scribble(value: Any) -> None:
    """Change every mapping and list inside a value."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in inner:
        _scribble(item)
    if isinstance(value, dict):
        value["scribble"] = True
    elif isinstance(value, list):
        value.append("scribble")


def test_a_users_command_gets_no_args_of_ours() -> None:
    (container,) = built_worker({"containers": [{"name": "worker", "command": ["sh", "-c", "x"]}]})[
        "containers"
    ]
    assert "args" not in container


def test_only_the_dask_container_is_filled_in() -> None:
    template = {"containers": [{"name": "proxy", "image": "p"}, {"name": "worker"}]}
    proxy, dask = built_worker(template)["containers"]
    assert proxy == {"name": "proxy", "image": "p"}
    assert dask["args"][:2] == ["dask", "worker"]


def test_without_a_container_of_its_name_the_first_one_is_dask() -> None:
    template = {"containers": [{"name": "main", "image": "m"}, {"name": "other", "image": "o"}]}
    main, other = built_scheduler(template)["containers"]
    assert main["args"][:2] == ["dask", "scheduler"]
    assert other == {"name": "other", "image": "o"}


def test_a_scheduler_without_a_dashboard_port_gets_no_probes() -> None:
    template = {"containers": [{"name": "scheduler", "ports": [{"containerPort": 8786}]}]}
    (container,) = built_scheduler(template)["containers"]
    assert not {"readinessProbe", "livenessProbe"} & container.keys()


@pytest.mark.parametrize("grace", [5, 20, 45])
def test_a_worker_is_told_to_end_before_a_short_grace_period_is_over(grace: int) -> None:
    (container,) = built_worker({"terminationGracePeriodSeconds": grace})["containers"]
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    assert int(hook[1]) < grace


# -- environment


def test_the_template_wins_over_the_short_form_and_that_over_ours() -> None:
    template = {"containers": [{"name": "worker", "env": [{"name": "A", "value": "template"}]}]}
    short = [{"name": name, "value": "short"} for name in ("A", "B", "DASK_SCHEDULER_ADDRESS")]
    (container,) = built_worker(template, env=short)["containers"]
    values = environment(container)
    assert (values["A"], values["B"]) == ("template", "short")
    assert values["DASK_SCHEDULER_ADDRESS"] == "short"
    assert values["DASK_WORKER_NAME"].startswith("c-default-worker-")


@settings(max_examples=100)
@given(VARIABLES, VARIABLES, VARIABLES)
def test_each_variable_is_there_once_and_the_first_layer_that_has_it_wins(
    template: list[Manifest], short: list[Manifest], own: list[Manifest]
) -> None:
    merged = merged_env(template, short, own)
    names = [variable["name"] for variable in merged]
    assert len(names) == len(set(names))
    for name in names:
        first = next(v for layer in (template, short, own) for v in layer if v["name"] == name)
        assert first in merged


def test_ours_come_first_so_that_the_user_can_refer_to_them() -> None:
    names = [v["name"] for v in merged_env([{"name": "A"}], [{"name": "B"}], [{"name": "OURS"}])]
    assert names.index("OURS") < min(names.index("A"), names.index("B"))


def test_a_users_variable_can_refer_to_another_of_his_even_where_it_replaces_ours() -> None:
    template = [{"name": "POD_IP", "value": "x"}, {"name": "DASK_WORKER_NAME", "value": "w-$(POD_IP)"}]
    merged = merged_env(template, [], [{"name": "DASK_WORKER_NAME", "value": "ours"}])
    assert [variable["name"] for variable in merged] == ["POD_IP", "DASK_WORKER_NAME"]


# -- metadata


def test_labels_and_annotations_are_handed_down_but_not_those_of_tools() -> None:
    given = {
        "team": "blue",
        "example.com/cost": "7",
        "app.kubernetes.io/part-of": "x",
        "kopf.zalando.org/last": "1",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "meta.helm.sh/release-name": "r",
        "helm.sh/chart": "c",
        "argocd.argoproj.io/instance": "a",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/instance": "i",
        "kubernetes.dask.org/copied-replicas": "3",
    }
    assert inherited(Metadata(labels=given)).labels.keys() == {
        "team",
        "example.com/cost",
        "app.kubernetes.io/part-of",
    }


def test_own_metadata_wins_over_inherited_and_ours_over_both() -> None:
    of = group(
        metadata={"labels": {"team": "blue", labels.COMPONENT: "mine"}, "annotations": {"note": "group"}},
        worker={"metadata": {"labels": {"team": "red"}, "annotations": {labels.WORKER_INDEX: "99"}}},
    )
    metadata = worker_pod(cluster(), of, Image("i", ""), 4)["metadata"]
    assert metadata["labels"]["team"] == "red"
    assert metadata["labels"][labels.COMPONENT] == "worker"
    assert metadata["annotations"]["note"] == "group"
    assert metadata["annotations"][labels.WORKER_INDEX] == "4"


# -- what counts as a change


def test_the_digest_changes_with_what_the_user_wrote() -> None:
    one = group(worker={"env": [{"name": "A", "value": "1"}]}).spec.worker
    others = [
        group(worker={"env": [{"name": "A", "value": "2"}]}).spec.worker,
        group(worker={"spec": {"nodeName": "n"}}).spec.worker,
        group(worker={"image": "i"}).spec.worker,
        group(worker={"resources": {"limits": {"cpu": "1"}}}).spec.worker,
        group().spec.worker,
    ]
    digests = {worker_digest(spec, "") for spec in (one, *others)}
    assert len(digests) == 6
    assert worker_digest(one, "cluster-image") not in digests


def test_the_digest_does_not_change_with_a_default_nor_with_metadata_or_numbers() -> None:
    plain = group().spec.worker
    same = group(
        replicas=9, worker={"metadata": {"labels": {"a": "b"}}, "drainTimeoutSeconds": 3}
    ).spec.worker
    assert worker_digest(plain, "") == worker_digest(same, "")
    one, other = (scheduler_pod(cluster(), image, "default:1") for image in ("default:1", "default:2"))
    assert one["metadata"] == other["metadata"]
    assert scheduler_pod(cluster(), "default:1", "default:2")["metadata"]["annotations"] == {
        **one["metadata"]["annotations"],
        labels.DEFAULT_IMAGE: "default:2",
    }
    labelled = cluster(metadata={"labels": {"a": "b"}}, status={"image": "x"})
    assert scheduler_digest(labelled) == scheduler_digest(cluster())


@settings(max_examples=50)
@given(TEMPLATES)
def test_the_order_of_keys_is_no_change(template: Manifest) -> None:
    turned = dict(reversed(list(template.items())))
    one, other = group(worker={"spec": template}), group(worker={"spec": turned})
    assert worker_digest(one.spec.worker, "") == worker_digest(other.spec.worker, "")


# -- the whole Pod, for the smallest spec


def test_the_worker_pod_of_the_tiny_spec() -> None:
    pod = worker_pod(cluster(), group(), Image("image:1", ""), 1)
    name = pod["metadata"]["name"]
    pod["metadata"]["annotations"].pop(labels.TEMPLATE_DIGEST)
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "labels": {
                "dask.org/cluster-name": "c",
                "dask.org/workergroup-name": "c-default",
                "dask.org/component": "worker",
                "kubernetes.dask.org/cluster-uid": "cluster-uid",
            },
            "annotations": {
                "kubernetes.dask.org/worker-index": "1",
                "kubernetes.dask.org/container": "worker",
            },
            "ownerReferences": [
                {
                    "apiVersion": "kubernetes.dask.org/v1",
                    "kind": "DaskWorkerGroup",
                    "name": "c-default",
                    "uid": "group-uid",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": 60,
            "containers": [
                {
                    "name": "worker",
                    "image": "image:1",
                    "args": [
                        *("dask", "worker", "--name", "$(DASK_WORKER_NAME)"),
                        *("--dashboard-address", ":8788", "--no-dashboard"),
                    ],
                    "ports": [{"name": "http-dashboard", "containerPort": 8788, "protocol": "TCP"}],
                    "env": [
                        {"name": "DASK_WORKER_NAME", "value": name},
                        {"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://c-scheduler.ns.svc:8786"},
                    ],
                    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "50"]}}},
                }
            ],
        },
    }


@pytest.mark.parametrize("on_host", [False, True])
def test_workers_on_the_network_of_their_node_name_no_port_that_only_one_of_them_could_have(
    on_host: bool,
) -> None:
    [container] = built_worker({"hostNetwork": on_host})["containers"]
    assert ("ports" in container) is not on_host


def test_pull_secrets_of_the_install_are_for_pods_whose_template_names_none() -> None:
    named = {"imagePullSecrets": [{"name": "mine"}]}
    for template, wanted in (
        (named, ["mine"]),
        ({}, ["one", "two"]),
        ({"imagePullSecrets": []}, ["one", "two"]),
    ):
        of = cluster(spec={"scheduler": {"spec": template}})
        worker = worker_pod(of, group(worker={"spec": template}), Image("i", ""), 1, ("one", "two"))
        for pod in (worker, scheduler_pod(of, "i", "i", ("one", "two"))):
            assert [secret["name"] for secret in pod["spec"]["imagePullSecrets"]] == wanted


def test_the_scheduler_pod_of_the_tiny_spec() -> None:
    (container,) = scheduler_pod(cluster(), "image:1", "image:1")["spec"]["containers"]
    assert container["name"] == "scheduler"
    assert container["args"] == ["dask", "scheduler", "--host", "0.0.0.0"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "tcp-comm": 8786,
        "http-dashboard": 8787,
    }
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http-dashboard"}
    assert (
        "distributed.http.scheduler.api"
        in environment(container)["DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES"]
    )
