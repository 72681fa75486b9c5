"""Reading a scheduler's page of workers: the only place where it tells each worker's load.

``/json/identity.json`` would be the natural source, but it answers 500 whenever a worker has computed anything since
its last heartbeat (seen with distributed 2026.8: its metrics then have tuples as keys, which JSON cannot have). The
page is rendered from the scheduler's own state, so its numbers are exact and of this moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass(frozen=True)
class Load:
    """What one worker process has to do and to keep."""

    busy: int
    """Tasks that run or wait on it."""
    results: int
    """Finished results in its memory."""
    memory: int
    """Bytes of memory that its process uses, as of its last heartbeat."""


class _Table(HTMLParser):
    """Collects the rows of the first table: the text of each cell, and the value of a progress bar in it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False
        self._done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._done:
            return
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._in_cell = True
        elif tag == "progress" and self._in_cell:
            self.rows[-1][-1] += dict(attrs).get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False
        elif tag == "table":
            self._done = True

    def handle_data(self, data: str) -> None:
        if self._in_cell and not self._done:
            self.rows[-1][-1] += data


def loads(page: str) -> dict[str, Load]:
    """Worker address → load, from the page ``/info/main/workers.html``.

    Raises:
        ValueError: the page has no table of workers.
    """
    table = _Table()
    table.feed(page)
    if not table.rows:
        raise ValueError("the page has no table of workers")
    titles = [title.strip() for title in table.rows[0]]
    rows = [dict(zip(titles, (cell.strip() for cell in row), strict=False)) for row in table.rows[1:]]
    try:
        return {row["Worker"]: _load(row) for row in rows}
    except KeyError as error:
        raise ValueError(f"the table of workers has no column {error}") from error


def _load(row: Mapping[str, str]) -> Load:
    return Load(
        busy=int(row["Processing"]),
        results=int(row["In-memory"]),
        memory=int(float(row.get("Memory use") or 0)),
    )
