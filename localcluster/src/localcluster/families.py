"""Which Go tools there are, their build flags, and the key of what they are built from. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from localcluster.gomod import GoMod

KUBERNETES = "kubernetes"
CHARTS = "charts"
UNITTEST = "unittest"
KWOK = "kwok"
COREDNS = "coredns"
PAUSE = "pause"

ALL = (KUBERNETES, CHARTS, UNITTEST, KWOK, COREDNS, PAUSE)
FOR_CLUSTER = (KUBERNETES, CHARTS, KWOK, COREDNS, PAUSE)

BUILD_FLAGS = ("-trimpath", "-buildvcs=false")

_NAMES = {"go.etcd.io/etcd/server/v3": "etcd"}


@dataclass(frozen=True)
class Data:
    """Files of a module that a tool needs at run time: copied to `share/` beside the binaries."""

    module: str
    files: tuple[str, ...]


DATA: dict[str, Data] = {
    CHARTS: Data("github.com/helm/chart-testing/v3", ("etc/chart_schema.yaml", "etc/lintconf.yaml")),
    KWOK: Data(
        "sigs.k8s.io/kwok",
        (
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            "kustomize/stage/pod/fast/pod-complete.yaml",
            "kustomize/stage/pod/fast/pod-delete.yaml",
            "kustomize/stage/pod/fast/pod-ready.yaml",
        ),
    ),
}


def binary_name(package: str) -> str:
    """What the binary of a Go package is called here."""
    return _NAMES.get(package, package.rsplit("/", 1)[-1])


def ldflags(family: str, gomod: GoMod) -> str:
    """Linker flags: no debug information, and the version a release build would carry.

    Without it Kubernetes says v0.0.0-master, which fails the `kubeVersion` of most charts.
    """
    variables: dict[str, str] = {}
    if family == KUBERNETES:
        version = gomod.version("k8s.io/kubernetes")
        variables["k8s.io/component-base/version.gitVersion"] = version
        variables["k8s.io/client-go/pkg/version.gitVersion"] = version
    elif family == CHARTS:
        variables["helm.sh/helm/v4/internal/version.version"] = gomod.version("helm.sh/helm/v4")
        variables["github.com/helm/chart-testing/v3/ct/cmd.Version"] = gomod.version(
            "github.com/helm/chart-testing/v3"
        )
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in variables.items())])


def cache_key(sources: Mapping[str, bytes], flags: str, go_version: str) -> str:
    """Twelve hex digits that change when a source file, a flag or the compiler does."""
    description = {
        "sources": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(sources.items())},
        "flags": [*BUILD_FLAGS, flags],
        "go": go_version,
    }
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]
