from localcluster.gomod import parse, version_tuple

TEXT = """\
module example // a comment

go 1.26.0

tool (
	go.etcd.io/etcd/server/v3
	k8s.io/kubernetes/cmd/kubectl
)

tool sigs.k8s.io/kwok/cmd/kwok

require (
	k8s.io/api v0.36.3 // indirect
	k8s.io/kubernetes v1.36.3
)

require example.org/one v0.1.0

replace (
	k8s.io/api => k8s.io/api v0.36.4
)
"""


def test_block_and_single_line_directives_are_both_read() -> None:
    gomod = parse(TEXT)

    assert gomod.go == "1.26.0"
    assert gomod.tools == (
        "go.etcd.io/etcd/server/v3",
        "k8s.io/kubernetes/cmd/kubectl",
        "sigs.k8s.io/kwok/cmd/kwok",
    )
    assert gomod.requires == {
        "k8s.io/api": "v0.36.3",
        "k8s.io/kubernetes": "v1.36.3",
        "example.org/one": "v0.1.0",
    }


def test_a_replacement_is_not_taken_for_a_requirement() -> None:
    assert parse(TEXT).version("k8s.io/api") == "v0.36.3"


def test_versions_compare_as_numbers() -> None:
    assert version_tuple("go1.26.8") == (1, 26, 8)
    assert version_tuple("go1.9") < version_tuple("1.26.0")
    assert version_tuple("go1.27rc1") == (1, 27)
    assert version_tuple("devel") == ()
