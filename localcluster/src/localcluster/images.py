"""Building an image from a Dockerfile, and handing it to the node."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcluster import debian, node, paths, processes, rootfs, settings
from localcluster.shell import LocalClusterError, capture, locked, run, say, step, succeeds, write_atomically

CERTIFICATES = Path("/etc/ssl/certs")
BUNDLE = CERTIFICATES / "ca-certificates.crt"
WHEELS = "/wheels"
"""Where a build finds packages of ours."""

BUILD_LIMIT = 1800.0
"""Seconds that one build may take."""


@dataclass(frozen=True)
class Order:
    """An image to be built. `inputs` are the paths it is made from, below the context folder.

    `stand_ins` are images that take the place of others in `FROM`; `wheels` is a folder of packages that pip finds as
    if they were in the package index.
    """

    name: str
    dockerfile: Path
    context: Path
    arguments: Mapping[str, str]
    inputs: tuple[Path, ...]
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    wheels: Path | None = None


def ensure(order: Order) -> None:
    """Have the image in the node under exactly its name; quick when nothing it is made from changed.

    Raises LocalClusterError when there is no running cluster.
    """
    if settings.load() is None or not processes.find("containerd"):
        raise LocalClusterError("there is no local cluster to put the image into: run `up` first")
    key = build_key(order, rootfs.tag(rootfs.SUITE, rootfs.PACKAGES))
    if _is_there(order.name, key):
        say(f"{order.name} is up to date")
        return
    debian.ensure(debian.FOR_IMAGES)
    with locked(paths.image_store() / ".lock", "images"):
        base = rootfs.ensure()
        with step(f"{order.name}: building"):
            _build(order, base)
        with step(f"{order.name}: handing it to the node"):
            _hand_over(order.name)
    write_atomically(_record(order.name), json.dumps({"key": key}))


def input_files(context: Path, inputs: Iterable[Path]) -> list[Path]:
    """The files below these paths, sorted: those git knows or would add, or all where there is no git."""
    roots = [path if path.is_absolute() else context / path for path in inputs]
    for root in roots:
        if not root.exists():
            raise LocalClusterError(f"the input {root} of the image does not exist")
    listing = ["git", "-C", str(context), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = capture([*listing, "--", *roots]).split("\0")
        files = {context / name for name in found if name}
    except LocalClusterError:
        files = {file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))}
    return sorted(file for file in files if file.is_file())


def build_key(order: Order, base: str) -> str:
    """Changes with all the image is made from: a file's name, mode or content, an argument, the base."""
    words = [order.name, base, dict(order.arguments), dict(order.stand_ins)]
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for file in [order.dockerfile, *input_files(order.context, order.inputs)]:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        executable = os.access(file, os.X_OK)
        digest.update(f"{os.path.relpath(file, order.context)}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def _record(name: str) -> Path:
    return paths.STATE / "images" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _is_there(name: str, key: str) -> bool:
    try:
        recorded = json.loads(_record(name).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(recorded, dict) and recorded.get("key") == key and name in node.image_names()


def _build(order: Order, base: str) -> None:
    arguments = {"BASE": base, **order.arguments}
    with tempfile.TemporaryDirectory(prefix="localcluster-build-") as folder:
        command = rootfs.buildah(
            "bud",
            "--layers",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--pull-never",
            "--tag",
            order.name,
        )
        for source, target in build_mounts(Path(folder), os.environ, order.wheels).items():
            command += ["--volume", f"{source}:{target}:ro"]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        if order.wheels is not None:
            command.append("--no-cache")  # a layer does not know which packages pip has found
        for other, name in order.stand_ins.items():
            command += ["--build-context", f"{other}=container-image://{name}"]
        command += ["--file", str(order.dockerfile), str(order.context)]
        run(command, f"{order.name}: building", limit=BUILD_LIMIT)


def build_mounts(folder: Path, environment: Mapping[str, str], wheels: Path | None = None) -> dict[Path, str]:
    """What a build sees of this machine: its certificates, how pip and uv reach the package index, and `wheels`.

    Mounted, so that nothing of it stays in the image, where the Dockerfile could not have it elsewhere.
    """
    certified = BUNDLE.exists()
    pip, uv = folder / "pip.conf", folder / "uv.toml"
    pip.write_text(pip_conf(environment, certified, wheels is not None))
    uv.write_text(uv_toml(environment))
    mounts: dict[Path, str] = {wheels.resolve(): WHEELS} if wheels is not None else {}
    if certified:
        mounts |= {CERTIFICATES: str(CERTIFICATES), uv: "/etc/uv/uv.toml"}
    return {**mounts, pip: "/etc/pip.conf"} if mounts else {}


def pip_conf(environment: Mapping[str, str], certified: bool, wheels: bool) -> str:
    """pip's configuration in a build. Pure."""
    lines = ["[global]", "disable-pip-version-check = true", "root-user-action = ignore"]
    index = environment.get("PIP_INDEX_URL")
    lines += [f"cert = {BUNDLE}"] if certified else []
    lines += [f"index-url = {index}"] if index else []
    lines += [f"find-links = {WHEELS}"] if wheels else []
    return "\n".join(lines) + "\n"


def uv_toml(environment: Mapping[str, str]) -> str:
    """uv's configuration in a build: the system's certificates rather than its own. Pure."""
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("PIP_INDEX_URL")
    lines = ["native-tls = true"]
    if index:
        lines += ["[[index]]", f"url = {json.dumps(index)}", "default = true"]
    return "\n".join(lines) + "\n"


def _hand_over(name: str) -> None:
    with tempfile.TemporaryDirectory(dir=paths.image_store(), prefix="export-") as folder:
        archive = Path(folder) / "image.tar"
        # This format packs without compressing, which takes a quarter of the time.
        packing = rootfs.buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
        run(packing, f"{name}: packing", limit=600)
        run(node.ctr("images", "import", archive), f"{name}: importing", limit=600)
    if name not in node.image_names():
        raise LocalClusterError(f"the node took the image, but not under the name {name}")


def push(order: Order, registry: str) -> str:
    """Build with what this machine has, push to a registry, and return the name to use there."""
    if order.stand_ins or order.wheels is not None:
        raise LocalClusterError(
            f"{order.name} can be built on the local cluster only: run without a context of yours"
        )
    target = registry_name(order.name, registry)
    builder = _builder()
    arguments = [
        part for name, value in order.arguments.items() for part in ("--build-arg", f"{name}={value}")
    ]
    build = [
        builder,
        "build",
        "--tag",
        target,
        "--file",
        str(order.dockerfile),
        *arguments,
        str(order.context),
    ]
    with step(f"{target}: building with {builder}"):
        run(build, f"{target}: building", limit=BUILD_LIMIT)
    with step(f"{target}: pushing"):
        run([builder, "push", target], f"{target}: pushing", limit=BUILD_LIMIT)
    return target


def registry_name(name: str, registry: str) -> str:
    """The image's name in a registry: without the `localhost/` it has on the local node. Pure."""
    if not registry:
        raise LocalClusterError(
            "this checkout uses an external cluster, which can only pull images from a registry: "
            "set REGISTRY, like REGISTRY=registry.example.org/me, or give --registry"
        )
    return f"{registry.rstrip('/')}/{name.removeprefix('localhost/')}"


def _builder() -> str:
    """The first that works: a docker command without its daemon is of no use."""
    for candidate in ("docker", "podman", "buildah"):
        if debian.installed(candidate) and succeeds([candidate, "info"]):
            return candidate
    raise LocalClusterError("to build an image for an external cluster, install docker, podman or buildah")
