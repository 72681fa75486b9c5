"""The line that says what is being waited for."""

import shutil
import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[2K"


class ProgressLine:
    """One line that is rewritten on a terminal; elsewhere a line per change. Shows nothing where ``quiet``.

    >>> import io
    >>> stream = io.StringIO()
    >>> line = ProgressLine("my-cluster", stream=stream)
    >>> line.show("waiting for the operator"), line.show("waiting for the operator")
    (True, False)
    >>> stream.getvalue()
    'my-cluster: waiting for the operator\\n'
    """

    def __init__(self, title: str, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = _default_stream() if stream is None else stream
        self._quiet = quiet
        self._rewrites = self._stream.isatty()
        self._started = time.monotonic()
        self._last = ""
        self._open = False

    def show(self, text: str) -> bool:
        """Show ``text``; gives whether it is news."""
        news = text != self._last
        if news or self._rewrites:
            self._write(text)
        self._last = text
        return news

    def finish(self, text: str = "") -> None:
        """Show a last ``text``, if any, and end the line."""
        if text:
            self._write(text)
        if self._open and not self._quiet:
            print(file=self._stream, flush=True)
        self._open = False

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        line = f"{self._title}: {text}"
        if self._rewrites:
            print(f"{_CLEAR}{self._fitted(line)}", end="", file=self._stream, flush=True)
            self._open = True
        else:
            print(line, file=self._stream, flush=True)

    def _fitted(self, line: str) -> str:
        """The line, cut so that it does not wrap, with the seconds since the start behind it."""
        elapsed = f" [{time.monotonic() - self._started:.0f} s]"
        room = max(shutil.get_terminal_size().columns - 1 - len(elapsed), 1)
        return (line if len(line) <= room else f"{line[: room - 1]}…") + elapsed


def _default_stream() -> TextIO:
    """Standard error, or in a notebook, which paints that red, standard output."""
    return sys.stdout if "ipykernel" in sys.modules else sys.stderr
