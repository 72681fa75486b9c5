from dataclasses import replace
from pathlib import Path

import pytest
from localcluster.prerequisites import Machine, message, missing
from localcluster.shell import LocalClusterError

from localcluster import debian, external, images, paths, rootfs

GOOD = Machine(system="Linux", root=True, apt=True, overlayfs=True, cgroups=True, python=(3, 11))


def test_a_good_machine_lacks_nothing() -> None:
    assert missing(GOOD) == []


def test_everything_that_is_missing_is_named_at_once() -> None:
    lacks = missing(replace(GOOD, root=False, apt=False, overlayfs=False, python=(3, 9)))

    assert [word for word in ("root", "apt-get", "overlay", "3.9") if word not in message(lacks)] == []


def test_another_system_is_told_so_and_nothing_more() -> None:
    machine = Machine(system="Darwin", root=False, apt=False, overlayfs=False, cgroups=False, python=(3, 12))

    assert missing(machine) == ["Linux (this is Darwin)"]


def test_the_message_says_how_to_use_a_cluster_of_ones_own() -> None:
    assert "make cluster CONTEXT=" in message(["Linux"])


def test_packages_are_wanted_only_for_commands_that_are_missing() -> None:
    needed = {"containerd": "containerd", "ctr": "containerd", "runc": "runc"}

    assert debian.missing(needed, lambda command: command == "runc") == ["containerd"]
    assert debian.missing(needed, lambda command: True) == []


def test_a_file_is_there_whether_or_not_it_can_be_run(tmp_path: Path) -> None:
    font = tmp_path / "DejaVuSans.ttf"
    assert not debian.installed(str(font))
    font.write_bytes(b"\0")
    assert debian.installed(str(font))
    assert debian.installed("sh")
    assert not debian.installed("no-such-command")


def test_the_machines_own_debian_mirror_is_used() -> None:
    sources = {"debian.sources": "Types: deb\nURIs: https://mirror.example/debian/\nSuites: bookworm\n"}

    assert rootfs.mirror_of(sources) == "https://mirror.example/debian"


def test_a_mirror_of_another_distribution_is_not_taken_for_one_of_debian() -> None:
    sources = {"ubuntu.list": "deb http://archive.ubuntu.com/ubuntu noble main\n"}

    assert rootfs.mirror_of(sources) == rootfs.MIRROR


def test_an_image_loses_its_local_name_in_a_registry() -> None:
    name = images.registry_name("localhost/dask-operator:dev", "registry.example/me/")

    assert name == "registry.example/me/dask-operator:dev"


def test_an_external_cluster_without_a_registry_is_told_what_to_set() -> None:
    with pytest.raises(LocalClusterError, match="REGISTRY"):
        images.registry_name("localhost/dask-operator:dev", "")


def test_a_context_is_looked_up_in_the_users_kubeconfig_and_not_in_ours() -> None:
    ours = {"KUBECONFIG": str(paths.kubeconfig()), "HOME": "/home/me"}
    theirs = {"KUBECONFIG": "/home/me/other", "HOME": "/home/me"}

    assert external.users_environment(ours) == {"HOME": "/home/me"}
    assert external.users_environment(theirs) == theirs
