"""Running commands, waiting for conditions, and saying what goes on meanwhile."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HEARTBEAT = 20.0
"""Seconds of silence after which a long step says that it is still at it."""


class LocalClusterError(Exception):
    """Something the user has to know; the message says what happened and what to do."""


def say(text: str) -> None:
    """One line of progress, on stderr, so that stdout holds results only."""
    print(text, file=sys.stderr, flush=True)


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a text file, indented; empty when there is no such file."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def capture(
    command: Sequence[str | Path],
    *,
    limit: float = 60,
    stdin: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Standard output of a short command. Raises LocalClusterError with its stderr when it fails."""
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            cwd=cwd,
            env=env,
        )
    except FileNotFoundError as error:
        raise LocalClusterError(f"{arguments[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LocalClusterError(f"{' '.join(arguments)} did not end within {limit:.0f} s") from error
    if done.returncode != 0:
        raise LocalClusterError(
            f"{' '.join(arguments)} failed ({done.returncode}):\n{done.stderr.strip()[-4000:]}"
        )
    return done.stdout


def succeeds(command: Sequence[str | Path], *, limit: float = 60) -> bool:
    """Whether a short command exits 0."""
    try:
        capture(command, limit=limit)
    except LocalClusterError:
        return False
    return True


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    limit: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    dies_with_us: bool = True,
) -> None:
    """Run a long command to its end, with a heartbeat line; its output is shown only when it fails.

    `limit` is in seconds. With `dies_with_us` the command gets a signal when this process is killed, so that
    an interrupted run leaves nothing working in the background (not for dpkg, which must not stop half-way).
    """
    arguments = [str(part) for part in command]
    if dies_with_us and shutil.which("setpriv"):
        arguments = ["setpriv", "--pdeathsig", "TERM", *arguments]
    with tempfile.NamedTemporaryFile(prefix="localcluster-", suffix=".log") as log:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, env=env
            )
        except FileNotFoundError as error:
            raise LocalClusterError(f"{what}: {command[0]} is not installed") from error
        try:
            code = _wait(process, what, limit)
        except BaseException:
            process.terminate()
            raise
        if code != 0:
            raise LocalClusterError(f"{what} failed ({code}):\n{tail(Path(log.name), 40)}")


def _wait(process: subprocess.Popen[bytes], what: str, limit: float) -> int:
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - began
            if elapsed > limit:
                raise LocalClusterError(f"{what} did not end within {limit:.0f} s") from None
            say(f"{what}, {elapsed:.0f} s")


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step, and say how long it took once it is done."""
    say(f"{what} ...")
    began = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - began:.1f} s")


def until(condition: Callable[[], bool], limit: float, pause: float = 0.1) -> bool:
    """Poll until the condition holds (True) or `limit` seconds are over (False)."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; says so when another process holds it. Freed however we end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(path, what)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock just now."""
    if not path.exists():
        return False
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _lock(path: Path, what: str) -> int:
    waited = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not waited:
                say(f"waiting for another process that is at work on {what}")
                waited = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The holder before us may have removed the file: then this lock excludes nobody.
        if path.exists() and os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Replace a file as a whole, so that a reader or a crash never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
