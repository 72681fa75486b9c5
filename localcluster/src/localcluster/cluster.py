"""Bringing the cluster up, down, and saying how it is."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from localcluster import (
    api,
    cleanup,
    controlplane,
    daemons,
    debian,
    dns,
    external,
    fakenodes,
    families,
    firewall,
    kubeconfigs,
    machine,
    node,
    paths,
    pki,
    prerequisites,
    processes,
    settings,
    toolchain,
)
from localcluster.daemons import Daemon
from localcluster.settings import FAKE_POD_RANGE, NODE, SERVICE_RANGE, Settings
from localcluster.shell import LocalClusterError, locked, say, until

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
    "kwok",
)


def daemon(name: str, chosen: Settings) -> Daemon:
    """The definition of one component."""
    for candidate in definitions(chosen):
        if candidate.name == name:
            return candidate
    raise LocalClusterError(f"there is no component {name!r}; there are: {', '.join(COMPONENTS)}")


def definitions(chosen: Settings) -> list[Daemon]:
    """All components, in the order in which they need one another."""
    return [
        *controlplane.daemons(chosen),
        node.containerd(),
        node.kubelet(chosen),
        node.kube_proxy(chosen),
        dns.daemon(chosen),
        fakenodes.daemon(chosen),
    ]


def up(fake_nodes: int | None, client_limits: str | None) -> None:
    """Have the cluster running, as asked for; None keeps what is. Quick when there is nothing to do."""
    began = time.monotonic()
    prerequisites.check()
    debian.ensure(debian.NEEDED)
    tools = {name: str(home) for name, home in toolchain.ensure(families.FOR_CLUSTER).items()}
    with locked(paths.LOCK, "the cluster"):
        _forget_other_boot()
        try:
            _bring_up(tools, fake_nodes, client_limits)
        except daemons.StoreBrokenError as error:
            say(f"{error}\nThe stored state cannot be used: starting clean.")
            cleanup.everything()
            _bring_up(tools, fake_nodes, client_limits)
    external.forget()
    kubeconfigs.write_user(paths.kubeconfig())
    say(f"the cluster is up ({time.monotonic() - began:.1f} s): export KUBECONFIG={paths.kubeconfig()}")


def _forget_other_boot() -> None:
    """Start clean after a restart of the machine: a store that does not wait for the disk may be torn."""
    before = machine.load()
    if paths.STATE.exists() and (before is None or before.boot != machine.boot_id()):
        say("there is the state of a cluster from before this machine was started: removing it")
        cleanup.everything()


def _bring_up(tools: dict[str, str], fake_nodes: int | None, client_limits: str | None) -> None:
    paths.STATE.mkdir(parents=True, exist_ok=True, mode=0o711)
    machine.remember()
    chosen = _choose(tools).changed(client_limits, fake_nodes)
    settings.save(chosen)
    pki.ensure(chosen)
    controlplane.write_files(chosen)
    node.write_files(chosen)
    dns.write_files()
    fakenodes.write_files(chosen)
    _start_all(chosen)
    _wait_for_cluster()
    fakenodes.ensure(chosen)


def _choose(tools: dict[str, str]) -> Settings:
    address, bridged = settings.machine_address(), machine.prepare()
    known = settings.load()
    if known is None:
        return Settings(address=address, bridge_netfilter=bridged, tools=tools)
    return replace(known, address=address, bridge_netfilter=bridged, tools=tools)


def _start_all(chosen: Settings) -> None:
    control = controlplane.daemons(chosen)
    node.ensure_bridge()
    firewall.refuse(SERVICE_RANGE)
    firewall.lose(FAKE_POD_RANGE)
    daemons.ensure([control[0], node.containerd()])
    daemons.ensure([control[1]])
    node.ensure_pause_image(chosen)
    daemons.ensure(
        [
            *control[2:],
            node.kubelet(chosen),
            node.kube_proxy(chosen),
            dns.daemon(chosen),
            fakenodes.daemon(chosen),
        ]
    )


def _wait_for_cluster() -> None:
    if not until(node.is_ready, 90, pause=0.2):
        raise LocalClusterError(f"node {NODE} is not Ready after 90 s; see {paths.log_file('kubelet')}")
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    if not until(lambda: api.exists(account), 60):
        log = paths.log_file("kube-controller-manager")
        raise LocalClusterError(f"the default service account was not made within 60 s; see {log}")


def down() -> None:
    """End the machine's cluster and put the machine back; or only forget an external one."""
    if external.current():
        external.forget()
        return
    if prerequisites.look().root:
        with locked(paths.LOCK, "the cluster"):
            cleanup.everything()
            paths.LOCK.unlink(missing_ok=True)
    elif paths.STATE.exists():
        raise LocalClusterError("ending the local cluster needs the rights of root (run it with sudo)")
    paths.kubeconfig().unlink(missing_ok=True)


def status() -> list[str]:
    """What runs, in lines of text."""
    context = external.current()
    if context:
        return [f"external cluster: context {context}", f"kubeconfig: {paths.kubeconfig()}"]
    chosen = settings.load()
    if chosen is None:
        return ["no local cluster on this machine"]
    running = {process.component: process.pid for process in processes.ours()}
    lines = [_component_line(definition, running) for definition in definitions(chosen)]
    return [*lines, *_cluster_lines(chosen), *_tool_lines(chosen.tools), f"kubeconfig: {_kubeconfig_note()}"]


def _component_line(definition: Daemon, running: dict[str, int]) -> str:
    pid = running.get(definition.name)
    state = (
        "not running" if pid is None else f"pid {pid}, " + ("well" if definition.healthy() else "not well")
    )
    return f"{definition.name:25} {state}"


def _cluster_lines(chosen: Settings) -> list[str]:
    try:
        version = api.call("GET", "/version").get("gitVersion")
        nodes = api.nodes()
    except LocalClusterError as error:
        return [f"{error}"]
    ready = sum(nodes.values())
    return [
        f"Kubernetes {version}, {ready} of {len(nodes)} nodes Ready, client limits {chosen.client_limits}",
        f"audit log: {paths.audit_log()}",
    ]


def _tool_lines(tools: dict[str, str]) -> Sequence[str]:
    return [f"tools {name}: {Path(home) / 'bin'}" for name, home in sorted(tools.items())]


def _kubeconfig_note() -> str:
    there = paths.kubeconfig().exists()
    return str(paths.kubeconfig()) if there else f"{paths.kubeconfig()} (not written yet: run `up`)"
