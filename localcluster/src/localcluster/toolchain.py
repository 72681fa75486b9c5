"""Builds the Go tools into the cache, and links them into the checkout."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster import families, paths
from localcluster.families import DATA, cache_key
from localcluster.golang import Go, find
from localcluster.gomod import GoMod, parse, version_tuple
from localcluster.shell import LocalClusterError, capture, locked, run, say, step

BUILD_LIMIT = 3600.0
"""Seconds that one binary may take; a slow machine with an empty cache needs many."""


@dataclass(frozen=True)
class Family:
    """One go.mod with the tools that are built from it; `home` is where they are, once built."""

    name: str
    source: Path
    gomod: GoMod
    flags: str
    home: Path

    @property
    def packages(self) -> tuple[str, ...]:
        """Go packages to build: the `tool` directives, or the module itself where there are none."""
        return self.gomod.tools or (f"localcluster/{self.name}",)

    @property
    def binaries(self) -> Path:
        """Folder of the built binaries."""
        return self.home / "bin"

    @property
    def share(self) -> Path:
        """Folder of the data files."""
        return self.home / "share"


def ensure(names: Sequence[str]) -> dict[str, Path]:
    """Build what is missing of these families, link it all into `build/`, and return each one's home."""
    for name in names:
        if name not in families.ALL:
            raise LocalClusterError(f"there is no tool family {name!r}; there are: {', '.join(families.ALL)}")
    go = find(_newest_go(names))
    found = [_family(name, go) for name in names]
    if any(not family.home.exists() for family in found):
        with locked(paths.cache_dir() / "tools" / ".lock", "the tools"):
            for family in found:
                if not family.home.exists():
                    _build(family, go)
    for family in found:
        _link(family)
    return {family.name: family.home for family in found}


def _newest_go(names: Sequence[str]) -> str:
    wanted = [parse((paths.TOOLCHAIN / name / "go.mod").read_text()).go for name in names]
    return max(wanted, key=version_tuple)


def _family(name: str, go: Go) -> Family:
    source = paths.TOOLCHAIN / name
    gomod = parse((source / "go.mod").read_text())
    flags = families.ldflags(name, gomod)
    inputs = [source / "go.mod", source / "go.sum", *source.glob("*.go")]
    sources = {path.name: path.read_bytes() for path in inputs if path.exists()}
    key = cache_key(sources, flags, go.version)
    return Family(name, source, gomod, flags, paths.cache_dir() / "tools" / f"{name}-{key}")


def _build(family: Family, go: Go) -> None:
    """Build into a folder beside, and rename it when complete: a home that exists is whole.

    Binaries that an interrupted build of the same sources finished are kept; other leftovers go.
    """
    partial = family.home.with_name(f".{family.home.name}.partial")
    for leftover in family.home.parent.glob(f".{family.name}-*.partial"):
        if leftover != partial:
            shutil.rmtree(leftover)
    (partial / "bin").mkdir(parents=True, exist_ok=True)
    for unfinished in partial.glob("*.building"):
        unfinished.unlink()
    for package in family.packages:
        _build_one(family, package, partial, go)
    _copy_data(family, partial, go)
    partial.rename(family.home)


def _build_one(family: Family, package: str, partial: Path, go: Go) -> None:
    name = families.binary_name(package)
    target = partial / "bin" / name
    if target.exists():
        return
    # A name of our own: a compiler that outlived its killed parent must not write into this build.
    unfinished = partial / f"{name}.{os.getpid()}.building"
    command = [
        str(go.command),
        "build",
        *families.BUILD_FLAGS,
        "-ldflags",
        family.flags,
        "-o",
        str(unfinished),
        package,
    ]
    with step(f"{name}: building"):
        run(command, f"{name}: building", limit=BUILD_LIMIT, cwd=family.source, env=go.environment())
        unfinished.rename(target)


def _copy_data(family: Family, partial: Path, go: Go) -> None:
    data = DATA.get(family.name)
    if data is None:
        return
    module = _module_dir(family, data.module, go)
    (partial / "share").mkdir(exist_ok=True)
    for name in data.files:
        target = partial / "share" / Path(name).name
        target.unlink(missing_ok=True)
        shutil.copyfile(module / name, target)


def _module_dir(family: Family, module: str, go: Go) -> Path:
    command = [str(go.command), "mod", "download", "-json", module]
    described = json.loads(capture(command, limit=600, cwd=family.source, env=go.environment()))
    return Path(described["Dir"])


def _link(family: Family) -> None:
    for binary in family.binaries.iterdir():
        _symlink(paths.bin_dir() / binary.name, binary)
    if family.name == families.CHARTS:
        for file in family.share.iterdir():
            _symlink(paths.build_dir() / "ct" / file.name, file)


def _symlink(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def describe(homes: dict[str, Path]) -> None:
    """Say where the tools are."""
    for name, home in homes.items():
        say(f"{name}: {home / 'bin'}")
