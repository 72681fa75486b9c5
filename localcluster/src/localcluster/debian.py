"""The Debian packages the cluster runs on: installed where missing, never removed."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from localcluster.shell import LocalClusterError, run, say, step, succeeds

CNI_PLUGINS = Path("/usr/lib/cni")

NEEDED: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "bridge"): "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ebtables": "ebtables",
    "ethtool": "ethtool",
    "socat": "socat",
    "ip": "iproute2",
    "openssl": "openssl",
}
"""Command (or file) to the package that brings it. Asked by command, so that another vendor's containerd
is used as it is, rather than thrown out by apt in favour of Debian's."""

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
FOR_PAGES: Mapping[str, str] = {
    BROWSERS[0]: "chromium-headless-shell",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core",
}
"""A browser without a window, for the tests that look at pages."""

FOR_IMAGES: Mapping[str, str] = {"buildah": "buildah", "debootstrap": "debootstrap"}


def missing(needed: Mapping[str, str], there: Callable[[str], bool]) -> list[str]:
    """Packages whose command is not there, sorted. Pure."""
    return sorted({package for command, package in needed.items() if not there(command)})


def installed(command: str) -> bool:
    """Whether a command is on the PATH (with the administrator's folders), or a file exists."""
    if os.path.isabs(command):
        return Path(command).exists()
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(command, path=path) is not None


def ensure(needed: Mapping[str, str]) -> None:
    """Install what is missing. The package lists are fetched only when apt does not know a package yet."""
    packages = missing(needed, installed)
    if not packages:
        return
    with step(f"installing Debian packages: {' '.join(packages)}"):
        if not succeeds(_apt("install", "--simulate", *packages)):
            _run("apt-get update", _apt("update"))
        try:
            _run("apt-get install", _apt("install", *packages))
        except LocalClusterError:
            say("the package lists may be old, or an installation was interrupted: trying once more")
            _run("dpkg --configure -a", ["dpkg", "--configure", "-a"])
            _run("apt-get update", _apt("update"))
            _run("apt-get install", _apt("install", "--fix-broken", *packages))
    still = missing(needed, installed)
    if still:
        raise LocalClusterError(
            f"apt-get installed {', '.join(packages)}, but nothing was found of: {', '.join(still)}"
        )


def _apt(verb: str, *arguments: str) -> list[str]:
    options = ["-qq", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    return ["apt-get", verb, *options, *arguments]


def _run(what: str, command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(command, what, limit=1200, env=environment, dies_with_us=False)
