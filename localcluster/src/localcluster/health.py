"""Asking a component whether it is well: each question ends within two seconds, and any trouble is a no."""

import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 2.0


def _context() -> ssl.SSLContext:
    """For a component on this machine, whose certificate it made for itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def answers(url: str) -> bool:
    """Whether a GET of an http or https address on this machine is answered with 200."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def accepts(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def dns_query(name: str, number: int = 4711) -> bytes:
    """A DNS question for the IPv4 address of a name. Pure."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    header = number.to_bytes(2, "big") + b"\x01\x00" + b"\x00\x01" + b"\x00\x00" * 3
    return header + labels + b"\x00" + b"\x00\x01" + b"\x00\x01"


def resolves(server: str, name: str, address: str) -> bool:
    """Whether a DNS server gives this IPv4 address for the name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        try:
            client.sendto(dns_query(name), (server, 53))
            answer = client.recv(4096)
        except OSError:
            return False
    return answer[3] & 0x0F == 0 and answer.endswith(socket.inet_aton(address))
