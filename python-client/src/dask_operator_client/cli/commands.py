"""The commands about clusters that there are."""

import asyncio
import webbrowser
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class
from dask_operator_api import names
from dask_operator_api.conditions import ConditionType
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section

from dask_operator_client import validation
from dask_operator_client.cli.generate import gen
from dask_operator_client.cli.running import (
    checked,
    complete_cluster,
    kubernetes,
    namespace_option,
    run,
    session_of,
)

COMM_PORT, DASHBOARD_PORT = 8786, 8787
cluster_argument = click.argument("name", shell_complete=complete_cluster)


@click.group("operator")
def main() -> None:
    """Dask clusters on Kubernetes."""


main.add_command(gen)


@main.command("list")
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Clusters of all namespaces.")
def list_clusters(namespace: str | None, all_namespaces: bool) -> None:
    """List Dask clusters with what they are waiting for."""

    async def found() -> list[Manifest]:
        async with kubernetes() as kube:
            return await kube.all_of(Kind.CLUSTER, None if all_namespaces else namespace or kube.namespace)

    bodies = run(found())
    table = [("NAMESPACE", "NAME", "WORKERS", "STATUS", "REASON"), *map(_row, bodies)]
    for line in _aligned(table):
        click.echo(line)


@main.command()
@cluster_argument
@namespace_option
@click.option("--scheduler", is_flag=True, help="Only the scheduler's.")
def logs(name: str, namespace: str | None, scheduler: bool) -> None:
    """Print the logs of the Pods of the cluster NAME."""

    async def found() -> dict[str, str]:
        async with session_of(name, namespace) as session:
            await session.seen()
            return await session.pod_logs()

    for pod, text in run(found()).items():
        if not scheduler or pod == names.scheduler_name(name):
            click.echo(f"==> {pod} <==\n{text.rstrip()}\n")


@main.command()
@cluster_argument
@click.argument("workers", type=click.IntRange(0))
@namespace_option
@click.option(
    "--worker-group", default="default", show_default=True, help="The group, without the cluster's name."
)
def scale(name: str, workers: int, namespace: str | None, worker_group: str) -> None:
    """Ask for a number of WORKERS in the cluster NAME.

    For the default group, the DaskAutoscaler called NAME is removed.
    """
    group = checked(lambda: validation.checked_group_name("worker-group", name, worker_group))

    async def act() -> str:
        async with session_of(name, namespace) as session:
            return await session.scale(group, workers)

    warning = run(act())
    click.echo(f"{group} is to have {workers} workers")
    if warning:
        click.echo(warning, err=True)


@main.command("port-forward")
@cluster_argument
@namespace_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=COMM_PORT, show_default=True, help="For clients; 0: any."
)
@click.option(
    "--dashboard-port",
    type=click.IntRange(0, 65535),
    default=DASHBOARD_PORT,
    show_default=True,
    help="0: any.",
)
def port_forward(name: str, namespace: str | None, port: int, dashboard_port: int) -> None:
    """Carry local ports to the scheduler of the cluster NAME until you press Ctrl-C."""
    _forward(name, namespace, {COMM_PORT: port, DASHBOARD_PORT: dashboard_port}, opened=False)


@main.command()
@cluster_argument
@namespace_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Local port. Default: a free one.")
@click.option("--open/--no-open", "opened", default=True, help="Whether to open a browser.")
def dashboard(name: str, namespace: str | None, port: int, opened: bool) -> None:
    """Open the dashboard of the cluster NAME, and carry it until you press Ctrl-C."""
    _forward(name, namespace, {DASHBOARD_PORT: port}, opened)


@main.command()
@click.argument("names_", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_cluster)
@namespace_option
def delete(names_: Sequence[str], namespace: str | None) -> None:
    """Delete Dask clusters with all that belongs to them."""

    async def act(name: str) -> None:
        async with kubernetes() as kube:
            space = namespace or kube.namespace
            if not await kube.delete(Kind.CLUSTER, space, name):
                raise click.ClickException(f"there is no DaskCluster {name} in the namespace {space}")

    for name in names_:
        run(act(name))
        click.echo(f"{name} is deleted")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete commands and names of clusters: `eval "$(dask operator completion bash)"`."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"there is no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "dask", "_DASK_COMPLETE").source())


def _forward(name: str, namespace: str | None, ports: dict[int, int], opened: bool) -> None:
    async def act() -> None:
        async with session_of(name, namespace) as session:
            local = await session.forward(ports)
            if COMM_PORT in local:
                click.echo(f"scheduler: tcp://127.0.0.1:{local[COMM_PORT]}")
            link = f"http://127.0.0.1:{local[DASHBOARD_PORT]}/status"
            click.echo(f"dashboard: {link}")
            if opened:
                webbrowser.open(link)
            await asyncio.Event().wait()

    try:
        run(act())
    except KeyboardInterrupt:
        click.echo("closed")


def _row(body: Manifest) -> tuple[str, ...]:
    metadata, status = section(body, "metadata"), section(body, "status")
    conditions = {item.get("type"): item for item in items(status, "conditions")}
    ready = conditions.get(ConditionType.READY.value, {})
    return (
        str(metadata.get("namespace")),
        str(metadata.get("name")),
        str(section(status, "workers").get("summary") or "-"),
        str(status.get("phase") or "-"),
        str(ready.get("reason") or "no operator has noticed it"),
    )


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
