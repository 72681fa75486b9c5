"""Starting a component: it is there when that is over, or has ended."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from localcluster.daemons import APPEARING_SECONDS, Daemon, ensure
from localcluster.processes import Running
from localcluster.shell import LocalClusterError

from localcluster import paths, processes


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.setattr(paths, "log_file", lambda name: tmp_path / "logs" / f"{name}.log")
    return tmp_path


@contextmanager
def program(folder: Path, name: str, *arguments: str) -> Iterator[tuple[str, ...]]:
    """A command whose program is called like its component, as all of them are; ended at the end."""
    copy = folder / name
    copy.write_bytes(Path("/bin/sleep").read_bytes())
    copy.chmod(0o755)
    try:
        yield (str(copy), *arguments)
    finally:
        processes.end(processes.find(name))


def late(find: Callable[[str], list[Running]], looks: int) -> Callable[[str], list[Running]]:
    """Finds nothing for so many looks, as if the kernel had not got that far."""
    left = [looks]

    def found(name: str) -> list[Running]:
        left[0] -= 1
        return find(name) if left[0] < 0 else []

    return found


@pytest.mark.filterwarnings(
    "ignore:.*Popen.*:pytest.PytestUnraisableExceptionWarning"
)  # it goes on without us
def test_a_process_that_cannot_be_found_for_a_moment_has_not_ended(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with program(state, "sleeper-late", "60") as command:
        daemon = Daemon("sleeper-late", command, healthy=lambda: bool(find("sleeper-late")), limit=5)
        find = processes.find
        monkeypatch.setattr(processes, "find", late(find, 3))
        assert ensure([daemon]) == ["sleeper-late"]


def test_a_process_that_ends_at_once_is_told_so_at_once(state: Path) -> None:
    began = time.monotonic()
    with program(state, "sleeper-wrong", "no-number") as command:
        daemon = Daemon("sleeper-wrong", command, healthy=lambda: False, limit=30)
        with pytest.raises(LocalClusterError, match=r"sleeper-wrong ended by itself[^$]*no-number"):
            ensure([daemon])
    assert time.monotonic() - began < APPEARING_SECONDS
