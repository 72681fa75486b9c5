"""Every place on disk that this package reads or writes.

Three kinds: the checkout's `build/` (links and a kubeconfig, cheap to lose), the cache (slow to make,
shared by all checkouts of a user) and the state directory (one running cluster per machine).
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
TOOLCHAIN = CHECKOUT / "localcluster" / "toolchain"

STATE = Path("/var/lib/dask-operator-localcluster")
LOCK = Path("/var/lib/dask-operator-localcluster.lock")


def build_dir() -> Path:
    """The checkout's folder for what is generated."""
    return CHECKOUT / "build"


def bin_dir() -> Path:
    """Links to the built tools: `kubectl`, `helm`, `ct`, ..."""
    return build_dir() / "bin"


def kubeconfig() -> Path:
    """The kubeconfig of the cluster this checkout uses, local or external."""
    return build_dir() / "kubeconfig"


def external_marker() -> Path:
    """Exists while this checkout uses a cluster that is not ours; holds its context's name."""
    return build_dir() / "external-context"


def state_dir() -> Path:
    """The machine-wide directory of the running cluster; gone when there is none."""
    return STATE


def log_file(component: str) -> Path:
    """Output of one component."""
    return STATE / "logs" / f"{component}.log"


def audit_log() -> Path:
    """The API server's audit log (JSON lines, Metadata level), written before a call is answered."""
    return STATE / "audit.log"


def audit_logs() -> list[Path]:
    """The audit log and its rotated predecessors, oldest first."""
    return [*sorted(STATE.glob("audit-*.log")), *([audit_log()] if audit_log().exists() else [])]


def cache_dir() -> Path:
    """`$DASK_OPERATOR_CACHE`, or `~/.cache/dask-operator`."""
    named = os.environ.get("DASK_OPERATOR_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "dask-operator"


def image_store() -> Path:
    """Folder of buildah's own storage, so that it meets nobody else's."""
    return cache_dir() / "images"
