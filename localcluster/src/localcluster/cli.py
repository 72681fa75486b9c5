"""The commands."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from localcluster import cluster, debian, external, families, images, openapi, settings, toolchain
from localcluster.shell import LocalClusterError, say


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="localcluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    tools = commands.add_parser("tools", help="build the Go tools, and fetch API documents")
    tools.add_argument(
        "families", nargs="*", metavar="FAMILY", help=f"of {', '.join(families.ALL)} (default: all)"
    )
    _add_up(
        commands.add_parser("up", help="have the cluster running; again: heal it, or change its settings")
    )
    commands.add_parser("down", help="end the cluster, and leave the machine as it was")
    commands.add_parser("status", help="what runs, in which version")
    commands.add_parser("browser", help="have a browser without a window, for tests that look at pages")
    _add_image(commands.add_parser("image", help="build an image and hand it to the cluster"))
    return top


def _add_up(up: argparse.ArgumentParser) -> None:
    limits = (settings.DEFAULT_LIMITS, settings.RAISED_LIMITS)
    up.add_argument("--fake-nodes", type=_count, metavar="N", help="kwok nodes (default: 2, or as it is)")
    up.add_argument(
        "--client-limits",
        choices=limits,
        help="of scheduler and controller manager (default: default, or as it is)",
    )
    up.add_argument(
        "--context", help="use the cluster of this context of your own kubeconfig; starts nothing"
    )


def _add_image(image: argparse.ArgumentParser) -> None:
    image.add_argument("name", help="exactly how Pods call it, like localhost/dask-operator:dev")
    image.add_argument("--file", required=True, type=Path, metavar="DOCKERFILE")
    image.add_argument("--context-dir", type=Path, default=Path("."), metavar="DIR", help="default: .")
    image.add_argument("--build-arg", action="append", default=[], type=_pair, metavar="K=V")
    image.add_argument(
        "--input",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="what the image is made from: only a change there builds anew (default: the whole context)",
    )
    image.add_argument(
        "--stand-in",
        action="append",
        default=[],
        type=_pair,
        metavar="IMAGE=OTHER",
        help="build FROM the other one where the Dockerfile says the one",
    )
    image.add_argument("--wheels", type=Path, metavar="DIR", help="packages that pip finds in the build")
    image.add_argument("--registry", default=os.environ.get("REGISTRY", ""), help="for an external cluster")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        _run(options)
    except LocalClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"interrupted; `{options.command}` again goes on from here")
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command == "tools":
        toolchain.describe(toolchain.ensure(options.families or families.ALL))
        if not options.families:
            openapi.ensure()
    elif options.command == "up" and options.context:
        external.use(options.context)
    elif options.command == "up":
        cluster.up(options.fake_nodes, options.client_limits)
    elif options.command == "image":
        print(_image(options))
    elif options.command == "browser":
        _browser()
    elif options.command == "down":
        cluster.down()
    elif options.command == "status":
        print("\n".join(cluster.status()))


def _browser() -> None:
    if not any(map(debian.installed, debian.BROWSERS)):
        debian.ensure(debian.FOR_PAGES)


def _image(options: argparse.Namespace) -> str:
    """Build the image; returns the name Pods have to use."""
    context = options.context_dir.resolve()
    order = images.Order(
        name=options.name,
        dockerfile=options.file.resolve(),
        context=context,
        arguments=dict(options.build_arg),
        inputs=tuple(options.input) or (context,),
        stand_ins=dict(options.stand_in),
        wheels=options.wheels,
    )
    if external.current():
        return images.push(order, options.registry)
    images.ensure(order)
    return order.name
