"""etcd, the API server, the controller manager and the scheduler: their flags and files."""

import json

from localcluster import health, kubeconfigs, paths, pki
from localcluster.daemons import Daemon
from localcluster.families import KUBERNETES
from localcluster.settings import API_PORT, POD_RANGE, RAISED_LIMITS, SERVICE_RANGE, Settings
from localcluster.shell import write_atomically

RAISED = 1000
"""Queries per second, and burst, of the raised client limits."""

ETCD = "http://127.0.0.1:2379"

_QUIET_USERS = ("kube-scheduler", "kube-proxy", "apiserver", "kube-controller-manager")


def audit_policy() -> dict[str, object]:
    """Metadata of every answered call, but for those of the cluster's own components."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "None", "userGroups": ["system:nodes"]},
            {"level": "None", "users": [f"system:{user}" for user in _QUIET_USERS]},
            {"level": "Metadata"},
        ],
    }


def scheduler_config(settings: Settings) -> dict[str, object]:
    """The scheduler's configuration; its client limits can be set nowhere else."""
    connection: dict[str, object] = {"kubeconfig": str(kubeconfigs.component_file("scheduler"))}
    if settings.client_limits == RAISED_LIMITS:
        connection |= {"qps": RAISED, "burst": RAISED}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": connection,
        "leaderElection": {"leaderElect": False},
    }


def write_files(settings: Settings) -> None:
    """Write what the components read when they start."""
    write_atomically(paths.STATE / "audit-policy.json", json.dumps(audit_policy(), indent=2))
    write_atomically(paths.STATE / "scheduler.json", json.dumps(scheduler_config(settings), indent=2))
    for user in ("admin", "controller-manager", "scheduler", "proxy", "kubelet"):
        kubeconfigs.write_component(user)


def daemons(settings: Settings) -> list[Daemon]:
    """The four, in the order in which they need one another."""
    return [etcd(settings), api_server(settings), controller_manager(settings), scheduler(settings)]


def _program(settings: Settings, name: str) -> str:
    return str(settings.binary(KUBERNETES, name))


def etcd(settings: Settings) -> Daemon:
    """The store. It does not wait for the disk: a power cut may lose it, and nobody will miss it."""
    command = (
        _program(settings, "etcd"),
        f"--data-dir={paths.STATE / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=error",
    )
    return Daemon(
        "etcd",
        command,
        lambda: health.answers(f"{ETCD}/health"),
        ports=(2379, 2380),
        limit=30,
        store=paths.STATE / "etcd",
    )


def api_server_flags(settings: Settings) -> tuple[str, ...]:
    """The API server's flags. On all addresses, or Pods could not reach it."""
    return (
        f"--etcd-servers={ETCD}",
        f"--secure-port={API_PORT}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={settings.address}",
        f"--client-ca-file={pki.file('ca.crt')}",
        f"--tls-cert-file={pki.file('apiserver.crt')}",
        f"--tls-private-key-file={pki.file('apiserver.key')}",
        f"--service-account-key-file={pki.file('sa.pub')}",
        f"--service-account-signing-key-file={pki.file('sa.key')}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={pki.file('admin.crt')}",
        f"--kubelet-client-key={pki.file('admin.key')}",
        f"--kubelet-certificate-authority={pki.file('ca.crt')}",
        # By address: so the node's name need not resolve, and /etc/hosts stays as it is.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=lease",
        "--max-requests-inflight=800",
        f"--audit-policy-file={paths.STATE / 'audit-policy.json'}",
        f"--audit-log-path={paths.audit_log()}",
        # Blocking: a call is in the log before its answer is sent, and none is ever dropped.
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=3",
    )


def api_server(settings: Settings) -> Daemon:
    """The API server; well when it says that it is ready, its own roles included."""
    command = (_program(settings, "kube-apiserver"), *api_server_flags(settings))
    names = ("ca.crt", "apiserver.crt", "sa.pub", "admin.crt")
    return Daemon(
        "kube-apiserver",
        command,
        lambda: health.answers(f"{kubeconfigs.SERVER}/readyz"),
        inputs=(*(pki.file(name) for name in names), paths.STATE / "audit-policy.json"),
        ports=(API_PORT,),
        limit=90,
    )


def controller_manager_flags(settings: Settings) -> tuple[str, ...]:
    """The controller manager's flags.

    It gives nodes no Pod range: the one real node's is fixed, and a fake node's would put its Pods' made-up
    addresses among the real ones.
    """
    raised = (f"--kube-api-qps={RAISED}", f"--kube-api-burst={RAISED}")
    return (
        f"--kubeconfig={kubeconfigs.component_file('controller-manager')}",
        f"--service-account-private-key-file={pki.file('sa.key')}",
        f"--root-ca-file={pki.file('ca.crt')}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
        f"--cluster-cidr={POD_RANGE}",
        "--bind-address=127.0.0.1",
        f"--cluster-signing-cert-file={pki.file('ca.crt')}",
        f"--cluster-signing-key-file={pki.file('ca.key')}",
        *(raised if settings.client_limits == RAISED_LIMITS else ()),
    )


def controller_manager(settings: Settings) -> Daemon:
    """The controller manager; alone, so it elects nobody."""
    command = (_program(settings, "kube-controller-manager"), *controller_manager_flags(settings))
    return Daemon(
        "kube-controller-manager",
        command,
        lambda: health.answers("https://127.0.0.1:10257/healthz"),
        inputs=(pki.file("ca.crt"), pki.file("sa.pub"), kubeconfigs.component_file("controller-manager")),
        ports=(10257,),
    )


def scheduler(settings: Settings) -> Daemon:
    """The scheduler."""
    kubeconfig = kubeconfigs.component_file("scheduler")
    command = (
        _program(settings, "kube-scheduler"),
        f"--config={paths.STATE / 'scheduler.json'}",
        "--bind-address=127.0.0.1",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    )
    return Daemon(
        "kube-scheduler",
        command,
        lambda: health.answers("https://127.0.0.1:10259/healthz"),
        inputs=(paths.STATE / "scheduler.json", kubeconfig, pki.file("ca.crt")),
        ports=(10259,),
    )
