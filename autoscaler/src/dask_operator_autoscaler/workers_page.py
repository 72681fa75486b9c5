"""Reading a scheduler's page of workers, ``/info/main/workers.html``: the load and the memory of each.

It is rendered from the scheduler's own state, so its numbers are exact and of this moment. Columns are found by their
titles. The number behind a cell is its ``data-sort``, or the value of a progress bar in it, or else its text.

A page of a thousand workers is 700 kB. A full HTML parser takes ten times as long for it as these expressions, and no
other cluster is looked after meanwhile.
"""

import html
import re
from collections.abc import Mapping

from dask_operator_autoscaler.answers import Row

_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
_ROW = re.compile(r"<tr\b")
_CELL = re.compile(r"<t[hd]\b([^>]*)>(.*?)</t[hd]>", re.DOTALL)
_SORT = re.compile(r'data-sort="([^"]*)"')
_PROGRESS = re.compile(r'<progress\b[^>]*?\bvalue="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")

_WANTED = ("Name", "Cores", "Memory", "Memory use", "Occupancy", "Processing", "In-memory")


def rows(page: str) -> tuple[Row, ...]:
    """The workers that the page shows.

    Raises:
        ValueError: the page has no table of workers that can be read.
    """
    table = _TABLE.search(page)
    if table is None:
        raise ValueError("the page has no table of workers")
    _, head, *body = _ROW.split(table[0])
    titles = [_value("", text) for _, text in _CELL.findall(head)]
    missing = [title for title in _WANTED if title not in titles]
    if missing:
        raise ValueError(f"the table of workers has no column {missing[0]!r}")
    places = {title: titles.index(title) for title in _WANTED}
    return tuple(_row(_CELL.findall(row), places) for row in body)


def _row(cells: list[tuple[str, str]], places: Mapping[str, int]) -> Row:
    if len(cells) <= max(places.values()):
        raise ValueError("a row of the table of workers has too few cells")
    value = {title: _value(*cells[place]) for title, place in places.items()}
    return Row(
        name=value["Name"],
        threads=int(value["Cores"]),
        busy=int(value["Processing"]),
        occupancy=float(value["Occupancy"]),
        results=int(value["In-memory"]),
        used=_bytes(value["Memory use"]),
        limit=_bytes(value["Memory"]),
    )


def _value(attributes: str, text: str) -> str:
    found = _SORT.search(attributes) or _PROGRESS.search(text)
    return found[1] if found else html.unescape(_TAG.sub("", text)).strip()


def _bytes(text: str) -> int:
    """A number of bytes; 0 where the page has none, as for a worker without a limit."""
    return int(float(text)) if text not in ("", "None") else 0
