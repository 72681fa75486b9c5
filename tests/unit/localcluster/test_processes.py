import os
import signal
import socket
import subprocess
from pathlib import Path

from localcluster.ports import holder, is_free, listening_inodes
from localcluster.processes import COMPONENT_MARK, KEY_MARK, Running, identify
from localcluster.shell import until

from localcluster import processes

ENVIRON = f"PATH=/bin\0{COMPONENT_MARK}=etcd\0{KEY_MARK}=abc\0".encode()


def stat(state: str = "S", started: int = 4242) -> str:
    return f"7 (et) cd) {state} 1 " + "0 " * 17 + f"{started} 0"


def test_a_marked_process_running_the_components_program_is_ours() -> None:
    assert identify(7, ENVIRON, "/cache/bin/etcd", stat()) == Running(7, "etcd", "abc", 4242)


def test_a_program_that_was_replaced_on_disk_is_still_ours() -> None:
    assert identify(7, ENVIRON, "/cache/bin/etcd (deleted)", stat()) is not None


def test_a_child_that_inherited_the_mark_is_not_the_component() -> None:
    assert identify(7, ENVIRON, "/usr/bin/containerd-shim-runc-v2", stat()) is None


def test_a_process_without_the_mark_is_not_ours() -> None:
    assert identify(7, b"PATH=/bin\0", "/cache/bin/etcd", stat()) is None


def test_a_zombie_does_not_count_as_running() -> None:
    assert identify(7, ENVIRON, "/cache/bin/etcd", stat("Z")) is None


def start_sleeper(folder: Path, component: str) -> subprocess.Popen[bytes]:
    copy = folder / component
    copy.write_bytes(Path("/bin/sleep").read_bytes())
    copy.chmod(0o755)
    environment = {COMPONENT_MARK: component, KEY_MARK: "k"}
    return subprocess.Popen([str(copy), "60"], env=environment, start_new_session=True)


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    sleeper = start_sleeper(tmp_path, "sleeper-identity")
    try:
        assert until(lambda: bool(processes.find("sleeper-identity")), 5)
        (found,) = processes.find("sleeper-identity")
        predecessor = Running(found.pid, found.component, found.key, found.started - 1)

        processes.send(predecessor, signal.SIGKILL)

        assert processes.alive(found)
        assert not processes.alive(predecessor)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_paused_process_is_ended_too(tmp_path: Path) -> None:
    sleeper = start_sleeper(tmp_path, "sleeper-paused")
    try:
        assert until(lambda: bool(processes.find("sleeper-paused")), 5)
        os.kill(sleeper.pid, signal.SIGSTOP)

        processes.end(processes.find("sleeper-paused"), limit=5)

        assert processes.find("sleeper-paused") == []
    finally:
        sleeper.kill()
        sleeper.wait()


TCP_TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:192B 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 222 1
   2: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1
"""


def test_only_who_listens_holds_a_port() -> None:
    assert listening_inodes(TCP_TABLE, 6443) == {"111"}


def test_the_holder_of_a_port_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        assert not is_free(port)
        assert f"pid {os.getpid()}" in holder(port)
    assert is_free(port)
