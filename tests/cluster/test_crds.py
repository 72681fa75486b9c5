"""The four kinds, judged by a real API server: what it accepts, fills in, and refuses with which words.

Everything is a server-side dry run, except one worker group without a cluster. The tests want the chart of
this checkout to be installed.
"""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "bin"
CHART = ROOT / "charts" / "dask-operator"
NAMESPACE = f"chart-crds-{secrets.token_hex(3)}"
PLURALS = ("daskautoscalers", "daskclusters", "daskjobs", "daskworkergroups")

Tree = dict[str, Any]
Done = subprocess.CompletedProcess[str]

FULL_CLUSTER = """
apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: full
spec:
  scheduler:
    service:
      type: ClusterIP
      selector: {dask.org/cluster-name: full, dask.org/component: scheduler}
      ports:
        - {name: tcp-comm, protocol: TCP, port: 8786, targetPort: tcp-comm}
        - {name: http-dashboard, protocol: TCP, port: 8787, targetPort: http-dashboard}
    spec:
      containers:
        - name: scheduler
          image: ghcr.io/dask/dask:latest
          args: [dask, scheduler, --host, 0.0.0.0]
          env: [{name: FOO, value: bar}]
          ports:
            - {name: tcp-comm, containerPort: 8786, protocol: TCP}
            - {name: http-dashboard, containerPort: 8787, protocol: TCP}
          livenessProbe:
            httpGet: {path: /health, port: http-dashboard}
            initialDelaySeconds: 15
          readinessProbe:
            httpGet: {path: /health, port: http-dashboard}
            initialDelaySeconds: 5
          resources: null
  worker:
    cluster: full
    replicas: 3
    spec:
      containers:
        - name: worker
          image: ghcr.io/dask/dask:latest
          args: [dask, worker, --name, $(DASK_WORKER_NAME)]
          env: [{name: FOO, value: bar}]
          resources: null
"""
EMPTY_CLUSTER = {
    "idleTimeout": 0,
    "scheduler": {},
    "worker": {"replicas": 1, "drainTimeoutSeconds": 600},
}


def run(program: str, *arguments: str, stdin: str = "") -> Done:
    """Run a program of the tool chain against the test cluster, for at most two minutes."""
    path = BIN / program
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make tools`")
    kubeconfig = os.environ.get("KUBECONFIG") or str(ROOT / "build" / "kubeconfig")
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    return subprocess.run(
        [str(path), *arguments],
        input=stdin, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def ok(done: Done) -> str:
    """The output of a program that had to succeed."""
    assert done.returncode == 0, f"{done.args}: {done.stderr}"
    return done.stdout


def custom(kind: str, spec: object, name: str = "tiny") -> Tree:
    """A custom resource of ours."""
    return {"apiVersion": "kubernetes.dask.org/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def dry_run(body: Tree, verb: str = "create") -> Done:
    """Give an object to the API server, which judges it strictly and stores nothing."""
    command = (verb, "--dry-run=server", "--validate=strict", "--output=json", "--filename=-")
    return run("kubectl", "--namespace", NAMESPACE, *command, stdin=json.dumps(body))


def accepted(body: Tree, verb: str = "create") -> Tree:
    """The spec the API server makes of an object that it takes without a warning."""
    done = dry_run(body, verb)
    stored: Tree = json.loads(ok(done))
    assert done.stderr == ""
    spec: Tree = stored["spec"]
    return spec


def refused(body: Tree) -> str:
    """What the API server says of an object that it must refuse."""
    done = dry_run(body)
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[str]:
    """A namespace for dry runs, which also enforces Pod Security and warns of it."""
    body: Tree = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    levels = ("enforce", "warn")
    body["metadata"]["labels"] = {f"pod-security.kubernetes.io/{level}": "restricted" for level in levels}
    ok(run("kubectl", "apply", "--filename=-", stdin=json.dumps(body)))
    yield NAMESPACE
    ok(run("kubectl", "delete", "namespace", NAMESPACE))  # gone, as this process may come back to this module


@pytest.mark.parametrize("plural", PLURALS)
def test_the_cluster_has_the_schemas_of_this_checkout(plural: str) -> None:
    template = f"templates/crds/{plural}.yaml"
    wanted = yaml.safe_load(ok(run("helm", "template", "x", str(CHART), "--show-only", template)))
    live = json.loads(ok(run("kubectl", "get", "crd", f"{plural}.kubernetes.dask.org", "--output=json")))
    assert live["spec"]["versions"] == wanted["spec"]["versions"], "install or upgrade the chart first"


@pytest.mark.parametrize("plural", PLURALS)
def test_the_schemas_are_structural_and_established(plural: str) -> None:
    found = json.loads(ok(run("kubectl", "get", "crd", f"{plural}.kubernetes.dask.org", "--output=json")))
    conditions = {item["type"]: item["status"] for item in found["status"]["conditions"]}
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert conditions["Established"] == "True"


@pytest.mark.parametrize("verb", ["create", "apply"])
def test_a_manifest_with_everything_spelt_out_is_taken_as_it_is(verb: str) -> None:
    body: Tree = yaml.safe_load(FULL_CLUSTER)
    spec = accepted(body, verb)
    assert spec["worker"]["spec"]["containers"][0]["args"][:2] == ["dask", "worker"]
    assert spec["scheduler"]["service"] == body["spec"]["scheduler"]["service"]
    assert spec["worker"]["cluster"] == "full"


@pytest.mark.parametrize("spec", [{}, {"worker": None, "scheduler": None}, {"worker": {}}])
def test_an_empty_cluster_is_a_valid_one(spec: Tree) -> None:
    assert accepted(custom("DaskCluster", spec)) == EMPTY_CLUSTER


def test_a_tiny_cluster_is_filled_in() -> None:
    spec = accepted(custom("DaskCluster", {"image": "dask:1", "worker": {"replicas": 3}}))
    assert spec == {**EMPTY_CLUSTER, "image": "dask:1", "worker": {"replicas": 3, "drainTimeoutSeconds": 600}}


def test_a_tiny_worker_group_is_filled_in() -> None:
    spec = accepted(custom("DaskWorkerGroup", {"cluster": "a"}))
    assert spec == {"cluster": "a", "worker": {"replicas": 1, "drainTimeoutSeconds": 600}}


def test_a_job_restarts_its_program_on_failure_and_fills_in_its_cluster() -> None:
    job = {"spec": {"containers": [{"name": "job"}]}}
    spec = accepted(custom("DaskJob", {"job": job, "cluster": {"spec": {}}}))
    assert spec["job"]["spec"]["restartPolicy"] == "OnFailure"
    assert spec["cluster"]["spec"] == EMPTY_CLUSTER


def test_null_means_nothing_wherever_people_write_it() -> None:
    pod = {"containers": [{"name": "dask", "resources": None, "env": None}], "volumes": None}
    part = {"metadata": {"labels": None, "annotations": None}, "spec": pod, "resources": None, "env": None}
    worker = {**part, "image": None, "cluster": None, "replicas": None, "drainTimeoutSeconds": None}
    spec = {"image": None, "idleTimeout": None, "scheduler": {**part, "service": None}, "worker": worker}
    filled_in = accepted(custom("DaskCluster", spec))
    assert filled_in["worker"]["replicas"] == 1
    assert filled_in["idleTimeout"] == 0


def test_a_variable_without_a_value_is_taken() -> None:
    accepted(custom("DaskCluster", {"worker": {"env": [{"name": "A"}, {"name": "B", "value": None}]}}))


def test_a_field_of_a_newer_kubernetes_is_kept_in_pods_and_services() -> None:
    new: Tree = {"fromTheFuture": {"deep": [1]}}
    pod = {**new, "containers": [{"name": "scheduler", **new}]}
    spec = accepted(custom("DaskCluster", {"scheduler": {"spec": pod, "service": new}}))
    assert spec["scheduler"]["spec"] == pod
    assert spec["scheduler"]["service"] == new


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"wokrer": {}}, "spec.wokrer"),
        ({"worker": {"replica": 3}}, "spec.worker.replica"),
        ({"scheduler": {"pod": {}}}, "spec.scheduler.pod"),
        ({"worker": {"env": [{"name": "a", "val": "b"}]}}, "spec.worker.env[0].val"),
    ],
)
def test_a_misspelt_field_of_ours_is_refused_by_name(spec: Tree, field: str) -> None:
    assert f'unknown field "{field}"' in refused(custom("DaskCluster", spec))


@pytest.mark.parametrize("kind", ["DaskCluster", "DaskJob"])
@pytest.mark.parametrize(
    ("name", "why"),
    [("a" * 54, "at most 53 characters"), ("a.b", "no dots"), ("1a", "starts with a letter")],
)
def test_a_name_that_cannot_work_is_refused_with_the_remedy(kind: str, name: str, why: str) -> None:
    job = {"job": {"spec": {"containers": []}}, "cluster": {"spec": {}}}
    answer = refused(custom(kind, {} if kind == "DaskCluster" else job, name))
    assert "metadata.name: Invalid value" in answer
    assert why in answer
    assert "choose" in answer


def test_the_longest_names_are_taken() -> None:
    accepted(custom("DaskCluster", {}, "a" * 53))
    accepted(custom("DaskWorkerGroup", {"cluster": "a"}, "a" * 63))
    assert "at most 63" in refused(custom("DaskWorkerGroup", {"cluster": "a"}, "a" * 64))


@pytest.mark.parametrize("field", ["replicas", "drainTimeoutSeconds"])
def test_negative_numbers_are_refused(field: str) -> None:
    assert f"spec.worker.{field}" in refused(custom("DaskCluster", {"worker": {field: -1}}))


def test_an_autoscaler_with_its_bounds_swapped_is_refused() -> None:
    spec = {"cluster": "a", "minimum": 5, "maximum": 1}
    assert "minimum is greater than maximum" in refused(custom("DaskAutoscaler", spec))
    accepted(custom("DaskAutoscaler", {**spec, "maximum": 5}))


def test_a_worker_group_can_be_scaled_but_not_below_zero_nor_moved() -> None:
    body = custom("DaskWorkerGroup", {"cluster": "nobody"}, "waiting")
    ok(run("kubectl", "--namespace", NAMESPACE, "create", "--filename=-", stdin=json.dumps(body)))
    target = ("--namespace", NAMESPACE, "daskworkergroup", "waiting")
    ok(run("kubectl", "scale", *target, "--replicas=0"))
    scale = run("kubectl", "patch", *target, "--subresource=scale", "--type=merge",
                "--patch", '{"spec": {"replicas": -1}}')  # fmt: skip
    assert scale.returncode != 0
    assert "replicas" in scale.stderr
    move = run("kubectl", "patch", *target, "--type=merge", "--patch", '{"spec": {"cluster": "other"}}')
    assert "create another group" in move.stderr


def test_a_status_keeps_fields_the_schema_does_not_know() -> None:
    body = custom("DaskWorkerGroup", {"cluster": "nobody"}, "reporting")
    ok(run("kubectl", "--namespace", NAMESPACE, "create", "--filename=-", stdin=json.dumps(body)))
    written = {"new": 1, "workers": {"new": 2}, "draining": [{"pod": "a", "wish": {"from": "user"}}]}
    patch = ("--subresource=status", "--type=merge", "--patch", json.dumps({"status": written}))
    answer = run(
        "kubectl", "--namespace", NAMESPACE, "patch", "daskworkergroup", "reporting", *patch, "--output=json"
    )
    kept = json.loads(ok(answer))["status"]  # beside what the operator may have written by now
    assert (kept["new"], kept["workers"]["new"], kept["draining"]) == (1, 2, written["draining"])


@pytest.mark.parametrize("more", ["", ",autoscaler.mode=sidecar", ",autoscaler.enabled=false"])
def test_the_rendered_chart_passes_the_api_server_and_pod_security(more: str) -> None:
    values = f"crds.install=false,operator.replicas=2,autoscaler.replicas=2{more}"
    template = ("helm", "template", "x", str(CHART), "--namespace", NAMESPACE, "--set", values)
    manifests = ok(run(*template, "--no-hooks"))  # a test's Pod needs its account, which is made before it
    apply = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--filename=-")
    done = run("kubectl", *apply, stdin=manifests)
    ok(done)
    assert done.stderr == ""
