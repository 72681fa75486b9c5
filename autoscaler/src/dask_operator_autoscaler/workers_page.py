"""Reading a scheduler's page of workers, ``/info/main/workers.html``: the load and the memory of each.

It is rendered from the scheduler's own state, so its numbers are exact and of this moment. Columns are found by their
titles. The number behind a cell is its ``data-sort``, or the value of a progress bar in it, or else its text.
"""

from collections.abc import Mapping
from html.parser import HTMLParser

from dask_operator_autoscaler.answers import Row


class _Table(HTMLParser):
    """Collects the rows of the first table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._sort: str | None = None
        self._in_cell = False
        self._done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._done:
            return
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self._sort = dict(attrs).get("data-sort")
            self.rows[-1].append(self._sort or "")
            self._in_cell = True
        elif tag == "progress" and self._in_cell:
            self.rows[-1][-1] += dict(attrs).get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False
        elif tag == "table":
            self._done = True

    def handle_data(self, data: str) -> None:
        if self._in_cell and not self._done and self._sort is None:
            self.rows[-1][-1] += data


def rows(page: str) -> tuple[Row, ...]:
    """The workers that the page shows.

    Raises:
        ValueError: the page has no table of workers that can be read.
    """
    table = _Table()
    table.feed(page)
    if not table.rows:
        raise ValueError("the page has no table of workers")
    titles = [title.strip() for title in table.rows[0]]
    found = [dict(zip(titles, (cell.strip() for cell in row), strict=False)) for row in table.rows[1:]]
    try:
        return tuple(_row(row) for row in found)
    except KeyError as error:
        raise ValueError(f"the table of workers has no column {error}") from error


def _row(row: Mapping[str, str]) -> Row:
    return Row(
        name=row["Name"],
        threads=int(row["Cores"]),
        busy=int(row["Processing"]),
        occupancy=float(row["Occupancy"]),
        results=int(row["In-memory"]),
        used=_bytes(row["Memory use"]),
        limit=_bytes(row["Memory"]),
    )


def _bytes(text: str) -> int:
    """A number of bytes; 0 where the page has none, as for a worker without a limit."""
    return int(float(text)) if text not in ("", "None") else 0
