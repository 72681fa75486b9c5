"""Taking everything away again. Each step looks at what is there, so it works from any half-way state."""

import contextlib
import json
import os
import time
from pathlib import Path

from localcluster import firewall, machine, paths, processes
from localcluster.settings import BRIDGE
from localcluster.shell import LocalClusterError, capture, is_locked, until

SHIM = "containerd-shim"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_NAMES = ("kubepods", "k8s.io")

_ORDER = (
    ("kwok", "coredns", "kube-proxy", "kubelet"),
    ("kube-scheduler", "kube-controller-manager", "kube-apiserver"),
    ("etcd",),
)


def everything() -> None:
    """End the cluster and put the machine back. Does nothing where there is none."""
    stop_components()
    if paths.STATE.exists():
        before = machine.load()
        stop_containers()
        stop_runtime()
        sockets = shim_sockets()
        unmount_below(paths.STATE)
        remove_interfaces()
        firewall.clean(set(before.chains) if before else set())
        remove_cgroups()
        remove_log_links()
        for socket in sockets:
            socket.unlink(missing_ok=True)
        if before:
            machine.restore(before)
            machine.remove_folders(before)
        remove_state()
    if not is_locked(paths.image_store() / ".lock"):  # else somebody builds an image: those mounts are in use
        unmount_below(paths.image_store())


def stop_components() -> None:
    """End all but containerd, which is needed by nobody by then but ends last."""
    for names in _ORDER:
        processes.end([process for process in processes.ours() if process.component in names])


def stop_runtime() -> None:
    """End containerd."""
    processes.end(processes.find("containerd"))


def stop_containers() -> None:
    """Kill every container's processes and the shims that hold them."""
    left = processes.kill_all(_contained)
    left |= processes.kill_all(shims)
    if left:
        names = ", ".join(f"{pid} ({processes.command_line(pid)[:60]})" for pid in sorted(left))
        raise LocalClusterError(f"these processes of containers do not end: {names}")


def shims() -> set[int]:
    """Processes of our containerd that hold a container each."""
    socket = str(paths.STATE / "containerd.sock")
    return {
        pid
        for pid in processes.pids()
        if SHIM in (command := processes.command_line(pid)) and f"-address {socket}" in command
    }


def _contained() -> set[int]:
    """Processes in a Pod's cgroup. All Pods are ours: two kubelets cannot run on one machine."""
    found = set()
    for pid in processes.pids():
        try:
            groups = (processes.PROC / str(pid) / "cgroup").read_text()
        except OSError:
            continue
        if in_pod(groups) and not _zombie(pid):
            found.add(pid)
    return found


def in_pod(groups: str) -> bool:
    """Whether the text of /proc/PID/cgroup says that the process is in a Pod. Pure."""
    return any(
        line.split(":", 2)[-1].startswith(tuple(f"/{n}/" for n in CGROUP_NAMES))
        for line in groups.splitlines()
    )


def _zombie(pid: int) -> bool:
    try:
        return (processes.PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def shim_sockets() -> list[Path]:
    """Sockets that killed shims left in /run, as containerd noted them."""
    notes = paths.STATE.glob("containerd/state/io.containerd.runtime.v2.task/*/*/address")
    return [Path(note.read_text().strip().removeprefix("unix://")) for note in notes]


def mounts_below(folder: Path, mountinfo: str) -> list[str]:
    """Mount points at or below a folder, latest first, from the text of /proc/self/mountinfo. Pure."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [p for p in reversed(points) if p == str(folder) or p.startswith(f"{folder}/")]


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below a folder. Raises LocalClusterError when something stays mounted."""
    real = folder.resolve()

    def mounted() -> list[str]:
        return mounts_below(real, Path("/proc/self/mountinfo").read_text())

    def none_left() -> bool:
        for point in mounted():
            with contextlib.suppress(LocalClusterError):  # judged below, by what is still mounted
                capture(["umount", "--lazy", point])
        return not mounted()

    if not until(none_left, 10):
        raise LocalClusterError(f"still mounted: {', '.join(mounted())}")


def remove_interfaces() -> None:
    """Remove the Pods' bridge and what is plugged into it."""
    if not (Path("/sys/class/net") / BRIDGE).exists():
        return
    for link in json.loads(capture(["ip", "-json", "link", "show", "master", BRIDGE]) or "[]"):
        _delete_link(str(link["ifname"]))
    _delete_link(BRIDGE)


def _delete_link(name: str) -> None:
    try:
        capture(["ip", "link", "delete", name])
    except LocalClusterError:
        if (Path("/sys/class/net") / name).exists():
            raise


def remove_cgroups() -> None:
    """Remove the Pods' cgroups, of version 1 or 2."""
    roots = [CGROUPS, *(entry for entry in CGROUPS.iterdir() if entry.is_dir())]
    wanted = {root / name for root in roots for name in CGROUP_NAMES}

    def gone() -> bool:
        for top in wanted:
            for folder, _, _ in os.walk(top, topdown=False):
                _remove_empty(Path(folder))
        return not any(top.exists() for top in wanted)

    if not until(gone, 10):
        raise LocalClusterError(
            "some cgroups could not be removed: " + ", ".join(str(t) for t in wanted if t.exists())
        )


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        time.sleep(0)  # busy while a process in it is being reaped: the caller looks again


def remove_log_links() -> None:
    """Remove the links to our Pods' logs that the kubelet puts into a fixed folder."""
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{paths.STATE}/"):
            link.unlink()


def remove_state() -> None:
    """Remove the state directory. Never reaches into something that is mounted there."""
    unmount_below(paths.STATE)
    capture(["rm", "-rf", "--one-file-system", str(paths.STATE)], limit=300)
