"""The base image: a minimal Debian made by debootstrap, since there is no registry to pull one from."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from localcluster import cleanup, paths
from localcluster.shell import capture, run, step, succeeds

SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def tag(suite: str, packages: tuple[str, ...]) -> str:
    """Name of the base image with these packages. Pure."""
    key = hashlib.sha256(json.dumps([suite, sorted(packages)]).encode()).hexdigest()[:12]
    return f"localhost/dask-operator-localcluster-base:{suite}-{key}"


def buildah(*arguments: str | Path) -> list[str]:
    """A buildah command on that storage."""
    places = ["--root", str(paths.image_store() / "root"), "--runroot", str(paths.image_store() / "run")]
    return ["buildah", *places, "--storage-driver", "overlay", *map(str, arguments)]


def mirror_of(sources: Mapping[str, str]) -> str:
    """The Debian mirror that this machine's own sources name, from the files' texts; else the usual. Pure."""
    for text in sources.values():
        for line in text.splitlines():
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]):
                addresses = [w.rstrip("/") for w in words[1:] if w.startswith(("http://", "https://"))]
                if addresses and addresses[0].endswith("/debian"):
                    return addresses[0]
    return MIRROR


def _mirror() -> str:
    folder = Path("/etc/apt")
    files = [*folder.glob("sources.list"), *sorted(folder.glob("sources.list.d/*"))]
    return mirror_of({file.name: file.read_text() for file in files if file.suffix in (".list", ".sources")})


def ensure() -> str:
    """Have the base image in buildah's storage; returns its name."""
    name = tag(SUITE, PACKAGES)
    if succeeds(buildah("inspect", "--type", "image", name)):
        return name
    with step(f"making the base image (Debian {SUITE} with {', '.join(PACKAGES)})"):
        _make(name)
    return name


def _make(name: str) -> None:
    work = paths.image_store() / "debootstrap"
    _remove(work)
    root = work / "rootfs"
    root.mkdir(parents=True)
    verify = [f"--keyring={KEYRING}"] if KEYRING.exists() else []
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *verify]
    run([*command, SUITE, root, _mirror()], "debootstrap", limit=1800)
    _slim(root)
    container = capture(buildah("from", "scratch"), limit=120).strip()
    run(buildah("add", "--quiet", container, root, "/"), "base image: adding the files", limit=600)
    capture(buildah("config", "--cmd", "python3", container))
    run(buildah("commit", "--quiet", "--rm", container, name), "base image: committing", limit=600)
    _remove(work)


def _slim(root: Path) -> None:
    """Remove what can be fetched again."""
    for pattern in ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "var/log/*.log"):
        for path in root.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remove(folder: Path) -> None:
    """Remove a folder in which an interrupted debootstrap may have left something mounted."""
    if folder.exists():
        cleanup.unmount_below(folder)
        capture(["rm", "-rf", "--one-file-system", folder], limit=300)
