"""A cluster that is not ours: nothing is started, only its kubeconfig is copied."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from localcluster import paths
from localcluster.shell import LocalClusterError, capture, say, write_atomically


def kubectl() -> Path:
    """The built kubectl, or the one on the PATH."""
    built = paths.bin_dir() / "kubectl"
    found = str(built) if built.exists() else shutil.which("kubectl")
    if not found:
        raise LocalClusterError(
            "there is no kubectl: install one, or build it with `python3 -m localcluster tools kubernetes`"
        )
    return Path(found)


def users_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which kubectl reads the user's kubeconfig, not this checkout's own. Pure."""
    own = str(paths.kubeconfig())
    return {name: value for name, value in environment.items() if (name, value) != ("KUBECONFIG", own)}


def current() -> str | None:
    """The context's name while this checkout uses an external cluster."""
    try:
        return paths.external_marker().read_text().strip() or None
    except OSError:
        return None


def use(context: str) -> None:
    """Make the cluster behind a context this checkout's, once it has answered."""
    command, env = kubectl(), users_environment(os.environ)
    contexts = capture([command, "config", "get-contexts", "--output=name"], env=env).split()
    if context not in contexts:
        known = ", ".join(contexts) or "none"
        raise LocalClusterError(f"there is no context {context!r} in your kubeconfig; there are: {known}")
    server = [str(command), "--context", context, "--request-timeout=15s"]
    try:
        version = capture([*server, "get", "--raw", "/version"], limit=30, env=env)
    except LocalClusterError as error:
        raise LocalClusterError(f"the cluster of context {context!r} does not answer.\n{error}") from error
    flat = capture([command, "config", "view", "--minify", "--flatten", "--context", context], env=env)
    write_atomically(paths.external_marker(), context + "\n")
    write_atomically(paths.kubeconfig(), flat, mode=0o600)
    say(f"using context {context}: Kubernetes {json.loads(version).get('gitVersion')}")


def forget() -> None:
    """Stop using it; the cluster itself is not touched."""
    paths.kubeconfig().unlink(missing_ok=True)
    paths.external_marker().unlink(missing_ok=True)
