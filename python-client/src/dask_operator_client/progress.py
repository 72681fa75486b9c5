"""What is being waited for, on a terminal, in a notebook, or in a file."""

import html
import importlib
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

from dask_operator_client.waiting import Row

_UP = "\x1b[{lines}F"
_CLEAR = "\r\x1b[J"


class Progress(Protocol):
    """Shows how far something is."""

    def show(self, text: str, rows: Sequence[Row] = ()) -> bool:
        """Show ``text``, and a table of ``rows``; gives whether the text is news."""

    def finish(self, text: str) -> None:
        """Show a last ``text``."""


def progress_for(title: str, quiet: bool) -> Progress:
    """What suits the place where this runs."""
    if quiet:
        return Lines(title, None)
    if "ipykernel" in sys.modules:
        return Notebook(title)
    return Terminal(title, sys.stderr) if sys.stderr.isatty() else Lines(title, sys.stderr)


class Lines:
    """A line for each change; without a stream nothing is shown.

    >>> import sys
    >>> lines = Lines("my-cluster", sys.stdout)
    >>> lines.show("waiting for the operator"), lines.show("waiting for the operator")
    my-cluster: waiting for the operator
    (True, False)
    """

    def __init__(self, title: str, stream: TextIO | None) -> None:
        self._title = title
        self._stream = stream
        self._last = ""

    def show(self, text: str, rows: Sequence[Row] = ()) -> bool:
        """Write ``text`` if it is news."""
        news, self._last = text != self._last, text
        if news and self._stream is not None:
            print(f"{self._title}: {text}", file=self._stream, flush=True)
        return news

    def finish(self, text: str) -> None:
        """Write ``text``."""
        self.show(text)


class Terminal:
    """A block of lines that is rewritten, with the seconds since the start. At the end one line is left of it."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title = title
        self._stream = stream
        self._started = time.monotonic()
        self._last = ""
        self._height = 0

    def show(self, text: str, rows: Sequence[Row] = ()) -> bool:
        """Rewrite the block; it says the ``text`` only where there are no ``rows`` that do."""
        news, self._last = text != self._last, text
        table = [f"  {row.what:<10} {row.state:<18} {row.note}".rstrip() for row in rows]
        self._write([self._title, *table] if table else [f"{self._title}: {text}"], end="")
        return news

    def finish(self, text: str) -> None:
        """Leave one line."""
        self._write([f"{self._title}: {text}"], end="\n")
        self._height = 0

    def _write(self, lines: Sequence[str], end: str) -> None:
        elapsed = f" [{time.monotonic() - self._started:.0f} s]"
        room = max(shutil.get_terminal_size().columns - 1 - len(elapsed), 1)
        fitted = [line if len(line) <= room else f"{line[: room - 1]}…" for line in lines]
        back = _UP.format(lines=self._height - 1) if self._height > 1 else ""
        block = "\n".join([fitted[0] + elapsed, *fitted[1:]])
        print(f"{back}{_CLEAR}{block}", end=end, file=self._stream, flush=True)
        self._height = len(fitted)


class Notebook:
    """A table in the output of a cell, which is replaced by the next one."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._last: tuple[str, tuple[Row, ...]] = ("", ())
        self._handle: Any = None

    def show(self, text: str, rows: Sequence[Row] = ()) -> bool:
        """Replace the table if anything in it changed."""
        before, self._last = self._last, (text, tuple(rows))
        if before != self._last:
            self._display(table_html(f"{self._title}: {text}", rows))
        return before[0] != text

    def finish(self, text: str) -> None:
        """Leave one line."""
        self._display(table_html(f"{self._title}: {text} [{time.monotonic() - self._started:.0f} s]", ()))

    def _display(self, markup: str) -> None:
        shown = importlib.import_module("IPython.display")
        if self._handle is None:
            self._handle = shown.display(shown.HTML(markup), display_id=True)
        elif self._handle:
            self._handle.update(shown.HTML(markup))


def table_html(title: str, rows: Sequence[Row]) -> str:
    """A title and a table as HTML, with what others wrote escaped."""
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in line) + "</tr>"
        for line in ((row.what, row.state, row.note) for row in rows)
    )
    return f"<div>{html.escape(title)}</div>" + (f"<table>{cells}</table>" if cells else "")
