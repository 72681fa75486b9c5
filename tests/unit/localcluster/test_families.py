from localcluster.families import ALL, KUBERNETES, KWOK, binary_name, cache_key, ldflags
from localcluster.gomod import GoMod, parse

from localcluster import paths

SOURCES = {"go.mod": b"module a", "go.sum": b"sum"}


def test_the_cache_key_does_not_depend_on_the_order_of_the_sources() -> None:
    backwards = dict(reversed(SOURCES.items()))

    assert cache_key(SOURCES, "-s", "go1.26.8") == cache_key(backwards, "-s", "go1.26.8")


def test_the_cache_key_changes_with_every_input() -> None:
    keys = {
        cache_key(SOURCES, "-s", "go1.26.8"),
        cache_key(SOURCES, "-s -w", "go1.26.8"),
        cache_key(SOURCES, "-s", "go1.26.9"),
        cache_key({**SOURCES, "go.sum": b"other"}, "-s", "go1.26.8"),
        cache_key({**SOURCES, "main.go": b"package main"}, "-s", "go1.26.8"),
    }

    assert len(keys) == 5


def test_kubernetes_binaries_carry_the_version_that_go_mod_requires() -> None:
    flags = ldflags(KUBERNETES, GoMod("1.26", (), {"k8s.io/kubernetes": "v1.99.1"}))

    assert "-X k8s.io/component-base/version.gitVersion=v1.99.1" in flags
    assert "-X k8s.io/client-go/pkg/version.gitVersion=v1.99.1" in flags


def test_a_family_without_a_version_variable_is_only_stripped() -> None:
    assert ldflags(KWOK, GoMod("1.26", (), {})) == "-s -w"


def test_a_binary_is_called_like_the_last_part_of_its_package_but_for_etcd() -> None:
    assert binary_name("k8s.io/kubernetes/cmd/kubelet") == "kubelet"
    assert binary_name("github.com/helm/chart-testing/v3/ct") == "ct"
    assert binary_name("go.etcd.io/etcd/server/v3") == "etcd"


def test_every_family_has_a_go_mod() -> None:
    assert {name for name in ALL if parse((paths.TOOLCHAIN / name / "go.mod").read_text()).go} == set(ALL)
