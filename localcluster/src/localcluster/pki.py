"""The cluster's certificates: one authority, one certificate for each component, one key pair for tokens.

Made by openssl. Whatever is there and was made for the same request is kept, so that running it again
changes nothing, and an address that changed gets a new certificate.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster import paths
from localcluster.settings import API_SERVICE_IP, NODE, Settings, host_name
from localcluster.shell import capture

DAYS = "3650"

_NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key}"


@dataclass(frozen=True)
class Request:
    """A certificate to be had: its file name, subject and subject alternative names."""

    name: str
    subject: str
    names: tuple[str, ...]

    def text(self) -> str:
        """The extensions in openssl's words; also what a certificate is recognised by later."""
        names = ",".join(self.names)
        return f"# {self.subject}\nsubjectAltName={names}\nextendedKeyUsage=clientAuth,serverAuth\n"


def requests(settings: Settings) -> list[Request]:
    """Every certificate of the cluster. Pure but for the machine's name."""
    address = f"IP:{settings.address}"
    server = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", host_name())
    local = ("IP:127.0.0.1", f"IP:{API_SERVICE_IP}", address)
    return [
        Request("apiserver", "/CN=kube-apiserver", (*(f"DNS:{name}" for name in server), *local)),
        Request("admin", "/O=system:masters/CN=admin", ("DNS:admin",)),
        Request("controller-manager", "/CN=system:kube-controller-manager", ("DNS:controller-manager",)),
        Request("scheduler", "/CN=system:kube-scheduler", ("DNS:scheduler",)),
        Request(
            "kubelet", f"/O=system:nodes/CN=system:node:{NODE}", (f"DNS:{NODE}", "IP:127.0.0.1", address)
        ),
        Request("proxy", "/CN=system:kube-proxy", ("DNS:proxy",)),
    ]


def file(name: str) -> Path:
    """Path of a key or certificate, like `ca.crt`."""
    return paths.STATE / "pki" / name


def ensure(settings: Settings) -> None:
    """Make what is missing. A new authority makes everything new."""
    file("").mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (file("ca.key").exists() and file("ca.crt").exists()):
        _authority()
    if not (file("sa.key").exists() and file("sa.pub").exists()):
        _token_keys()
    for request in requests(settings):
        made_for = file(f"{request.name}.ext")
        if not made_for.exists() or made_for.read_text() != request.text():
            _certificate(request)


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=file(""), prefix=".new-") as folder:
        yield Path(folder)


def _openssl(text: str, **values: str | Path) -> None:
    """Run openssl with these words; a word in braces stands for one of the values."""
    capture(["openssl", *(word.format(**values) for word in text.split())])


def _authority() -> None:
    for certificate in file("").glob("*.ext"):
        certificate.unlink()
    with _workshop() as new:
        made = {"key": new / "ca.key", "crt": new / "ca.crt"}
        _openssl(f"req -x509 {_NEW_KEY} -out {{crt}} -days {DAYS} -subj /CN=kubernetes-ca", **made)
        _keep(made["crt"], made["key"])


def _token_keys() -> None:
    with _workshop() as new:
        made = {"key": new / "sa.key", "public": new / "sa.pub"}
        _openssl("genrsa -out {key} 2048", **made)
        _openssl("rsa -in {key} -pubout -out {public}", **made)
        _keep(made["public"], made["key"])


def _certificate(request: Request) -> None:
    with _workshop() as new:
        made = {end: new / f"{request.name}.{end}" for end in ("key", "csr", "crt", "ext")}
        made["ext"].write_text(request.text())
        _openssl(f"req {_NEW_KEY} -out {{csr}} -subj {{subject}}", **made, subject=request.subject)
        authority = {"ca": file("ca.crt"), "ca_key": file("ca.key")}
        _openssl(
            f"x509 -req -in {{csr}} -CA {{ca}} -CAkey {{ca_key}} -CAcreateserial "
            f"-out {{crt}} -days {DAYS} -extfile {{ext}}",
            **made,
            **authority,
        )
        _keep(made["key"], made["crt"], made["ext"])  # the last one says that the others are there


def _keep(*made: Path) -> None:
    for path in made:
        path.chmod(0o600)
        shutil.move(path, file(path.name))
