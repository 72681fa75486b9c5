"""What the API server's answers and frames mean."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMsgType
from dask_operator_api.kinds import Kind
from dask_operator_client import errors, kube
from kubernetes.aio.config import ConfigException


def status(code: int, message: str = "words", **details: Any) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "message": message, "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (404, status(404, name="c", kind="daskclusters"), errors.ClusterNotFound),
        (404, b"404 page not found\n", errors.OperatorMissing),
        (404, status(404), errors.OperatorMissing),
        (409, status(409, name="c"), errors.ClusterExists),
        (401, status(401), errors.KubernetesUnavailable),
        (429, status(429), errors.KubernetesUnavailable),
        (503, b"", errors.KubernetesUnavailable),
        (504, status(504), errors.AnswerLost),
        (403, status(403), errors.RequestRefused),
        (422, status(422), errors.RequestRefused),
    ],
)
def test_each_answer_has_its_error(code: int, text: bytes, kind: type[Exception]) -> None:
    assert type(kube.error_of(code, text)) is kind


def test_a_refusal_has_the_api_server_s_own_words() -> None:
    assert str(kube.error_of(403, status(403, "you may not"))) == "you may not"


class Socket:
    """A web socket that has received some frames."""

    def __init__(self, *frames: bytes) -> None:
        self.sent: list[bytes] = []
        self._frames = [SimpleNamespace(type=WSMsgType.BINARY, data=frame) for frame in frames]

    def __aiter__(self) -> "Socket":
        return self

    async def __anext__(self) -> Any:
        if not self._frames:
            raise StopAsyncIteration
        return self._frames.pop(0)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


async def test_a_pod_s_bytes_arrive_without_the_frames_that_name_the_port() -> None:
    socket = kube.PodSocket(Socket(b"\x00\x52\x22", b"\x01\x52\x22", b"\x00hello", b"\x00", b"\x00you"))  # type: ignore[arg-type]
    assert [await socket.receive(), await socket.receive(), await socket.receive()] == [
        b"hello",
        b"you",
        b"",
    ]


async def test_a_refused_connection_is_told_in_the_kubelet_s_words() -> None:
    socket = kube.PodSocket(Socket(b"\x01\x52\x22", b"\x01connection refused"))  # type: ignore[arg-type]
    with pytest.raises(errors.ForwardFailed, match="connection refused"):
        await socket.receive()


async def test_bytes_to_the_pod_go_to_the_data_channel() -> None:
    raw = Socket()
    await kube.PodSocket(raw).send(b"hello")  # type: ignore[arg-type]
    assert raw.sent == [b"\x00hello"]


CONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: {cluster: c, user: u%s}
clusters:
- name: c
  cluster: {server: "http://127.0.0.1:1"}
users:
- name: u
  user: {token: t}
"""


@pytest.mark.parametrize(("extra", "namespace"), [(", namespace: mine", "mine"), ("", "default")])
async def test_the_namespace_is_that_of_the_kubeconfig_s_context(
    extra: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG % extra)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    connection = await kube.Kube.connect()
    assert (connection.namespace, connection.in_pod) == (namespace, False)
    await connection.close()


async def test_an_api_server_that_is_not_there_is_told_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG % "")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    connection = await kube.Kube.connect()
    with pytest.raises(errors.KubernetesUnavailable, match=r"http://127\.0\.0\.1:1"):
        await connection.get(Kind.CLUSTER, "ns", "c")
    await connection.close()


async def test_a_connection_that_was_closed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(CONFIG % "")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    connection = await kube.Kube.connect()
    await connection.close()
    with pytest.raises(errors.ClusterError, match="closed meanwhile"):
        await connection.get(Kind.CLUSTER, "ns", "c")
    with pytest.raises(errors.ClusterError, match="closed meanwhile"):
        await connection.open_port("ns", "p", 8786)


async def test_no_configuration_at_all_is_an_error_that_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.KubernetesUnavailable, match="Point KUBECONFIG at a kubeconfig"):
        await kube.Kube.connect()


@pytest.mark.parametrize(
    "text",
    ["current-context: nowhere\n", "", "current-context: [\n", "half", "contexts:\n- context: {}\n"],
)
async def test_a_configuration_that_cannot_be_used_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(errors.KubernetesUnavailable, match=r"config is not usable"):
        await kube.Kube.connect()


@pytest.mark.parametrize("text", ["<html>Sign in</html>", "[]", ""])
async def test_an_answer_that_is_none_of_an_api_server_is_told_in_its_own_words(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG % "")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    async def answer(*_: Any) -> tuple[int, bytes]:
        return 200, text.encode()

    monkeypatch.setattr(kube.Kube, "_request", answer)
    connection = await kube.Kube.connect()
    with pytest.raises(errors.KubernetesUnavailable, match=re.escape(f"it says {text!r}")):
        await connection.get(Kind.CLUSTER, "ns", "c")
    await connection.close()


async def test_a_pod_s_token_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG % "")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    connection = await kube.Kube.connect()

    def read(_: object) -> None:
        raise ConfigException("Token file exists but empty.")

    connection._client.configuration.refresh_api_key_hook = read
    with pytest.raises(errors.KubernetesUnavailable, match=r"no token.*Token file exists but empty"):
        await connection.get(Kind.CLUSTER, "ns", "c")
    await connection.close()
