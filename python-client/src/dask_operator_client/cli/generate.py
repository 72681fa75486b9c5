"""``dask operator gen``: manifests from options, in YAML."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import yaml
from dask_operator_api.kinds import API_VERSION, Kind
from dask_operator_api.manifests import Manifest

from dask_operator_client import manifests, specs, validation
from dask_operator_client.cli.running import checked, kubernetes, namespace_option, run
from dask_operator_client.keywords import Keywords

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def gen() -> None:
    """Print manifests, to be kept, edited and applied."""


def _worker_options(command: F) -> F:
    for option in (
        click.option("--worker-command", help="Command of the workers."),
        click.option("--priority-class", help="Priority class of the Pods."),
        click.option(
            "--env", multiple=True, metavar="NAME=VALUE", help="Environment variable. May be repeated."
        ),
        click.option(
            "--limit", multiple=True, metavar="NAME=QUANTITY", help="Limit of each worker: memory=16Gi."
        ),
        click.option(
            "--request", multiple=True, metavar="NAME=QUANTITY", help="Request of each worker: cpu=2."
        ),
        click.option("--n-workers", type=int, help="Number of workers."),
        click.option("--image", help="Image. Default: the operator's."),
    ):
        command = option(command)
    return command


def _common_options(command: F) -> F:
    dry_run = click.option(
        "--dry-run",
        type=click.Choice(["none", "server"]),
        default="none",
        help="server: have the API server check it.",
    )
    return namespace_option(dry_run(command))


@gen.command()
@click.argument("name")
@_worker_options
@click.option("--scheduler-service-type", help="ClusterIP, NodePort or LoadBalancer.")
@click.option("--idle-timeout", type=int, help="Seconds without work after which the cluster is deleted.")
@click.option("--jupyter", is_flag=True, default=None, help="Serve Jupyter beside the dashboard.")
@click.option("--full", is_flag=True, help="Write out the Pods and the Service.")
@_common_options
def cluster(name: str, full: bool, namespace: str | None, dry_run: str, **options: Any) -> None:
    """A DaskCluster."""
    _emit(checked(lambda: _cluster(name, full, options)), namespace, dry_run)


@gen.command()
@click.argument("name")
@click.argument("command", nargs=-1, required=True)
@_worker_options
@_common_options
def job(name: str, command: Sequence[str], namespace: str | None, dry_run: str, **options: Any) -> None:
    """A DaskJob that runs COMMAND: `dask operator gen job etl --image my-image -- python etl.py`."""
    made = checked(lambda: _cluster(name, False, options))
    if not options["image"]:
        raise click.UsageError("--image is needed: it has the program of the job")
    container = {"name": "job", "image": options["image"], "args": list(command)}
    spec = {"job": {"spec": {"containers": [container]}}, "cluster": {"spec": made["spec"]}}
    _emit(_object(Kind.JOB, name, spec), namespace, dry_run)


@gen.command()
@click.argument("cluster")
@click.option(
    "--minimum", type=click.IntRange(0), default=0, show_default=True, help="Least number of workers."
)
@click.option("--maximum", type=click.IntRange(0), required=True, help="Greatest number of workers.")
@_common_options
def autoscaler(cluster: str, minimum: int, maximum: int, namespace: str | None, dry_run: str) -> None:
    """A DaskAutoscaler of CLUSTER."""
    if maximum < minimum:
        raise click.UsageError(f"--maximum ({maximum}) must not be less than --minimum ({minimum})")
    checked(lambda: validation.checked_name("cluster", cluster))
    body = manifests.autoscaler_manifest(cluster, "", minimum, maximum)
    _emit({**body, "metadata": {"name": cluster}}, namespace, dry_run)


@gen.command()
@click.argument("cluster")
@click.argument("name")
@_worker_options
@_common_options
def workergroup(cluster: str, name: str, namespace: str | None, dry_run: str, **options: Any) -> None:
    """A DaskWorkerGroup NAME of CLUSTER."""
    group = checked(lambda: validation.checked_group_name("name", cluster, name))
    keywords = checked(lambda: Keywords.checked(**_keywords(options)))
    body = manifests.group_manifest(cluster, group, "", keywords)
    _emit({**body, "metadata": {"name": group}}, namespace, dry_run)


def _cluster(name: str, full: bool, options: dict[str, Any]) -> Manifest:
    validation.checked_name("name", name)
    said = Keywords.checked(**_keywords(options)).said
    custom = specs.make_cluster_spec(name) if full else None
    body = manifests.cluster_manifest(name, "", Keywords(said, custom))
    return {**body, "metadata": {"name": name}}


def _keywords(options: dict[str, Any]) -> dict[str, Any]:
    """The keywords that the options of a command stand for."""
    given = {key: value for key, value in options.items() if key not in ("env", "limit", "request")}
    amounts = {"requests": _pairs("request", options["request"]), "limits": _pairs("limit", options["limit"])}
    resources = {key: value for key, value in amounts.items() if value}
    return {**given, "env": _pairs("env", options["env"]) or None, "resources": resources or None}


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, _) in zip(texts, pairs, strict=True):
        if not name or not equals:
            raise ValueError(f"--{option} must be NAME=VALUE, not {text!r}")
    return {name: value for name, _, value in pairs}


def _object(kind: Kind, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind.value, "metadata": {"name": name}, "spec": spec}


def _emit(body: Manifest, namespace: str | None, dry_run: str) -> None:
    """Print a manifest; with a dry run only if the API server would take it."""
    if namespace is not None:
        body = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    if dry_run == "server":
        run(_judge(body))
    click.echo(yaml.safe_dump(body, sort_keys=False), nl=False)


async def _judge(body: Manifest) -> None:
    async with kubernetes() as kube:
        placed = {**body, "metadata": {"namespace": kube.namespace, **body["metadata"]}}
        await kube.create(Kind(body["kind"]), placed, dry_run=True)
