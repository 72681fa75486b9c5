"""Reading the page of workers. Real schedulers' pages are read in ``test_scheduler``."""

import pytest
from dask_operator_autoscaler.answers import Row
from dask_operator_autoscaler.workers_page import rows

HEAD = "<table><thead><tr>{}</tr></thead><tbody>"
TITLES = ("Worker", "Name", "Cores", "Memory", "Memory use", "Occupancy", "Processing", "In-memory", "Logs")


def page(*workers: str, titles: tuple[str, ...] = TITLES) -> str:
    """A page with these rows, and another table behind."""
    head = HEAD.format("".join(f"<th> {title} </th>" for title in titles))
    return f"<h1>Workers</h1>{head}{''.join(workers)}</tbody></table><table><tr><td>1</td></tr></table>"


def worker(name: str = "w", limit: str = "1024") -> str:
    """A row as distributed renders it."""
    return f"""
      <tr style=background-color:#ffcdd2>
        <td><a href="../worker/tcp.html">tcp://10.0.0.1:4000</a></td>
        <td> {name} </td><td> 2 </td>
        <td data-sort="{limit}"> 1.00 kiB </td>
        <td> <progress class="progress" value="512.0" max="{limit}"></progress>
        </td>
        <td data-sort="1.25"> 1.25 s </td><td> 3 </td><td> 4 </td>
        <td> <a href="../logs/x.html">logs</a></td>
      </tr>"""


def test_every_number_of_a_worker_is_read() -> None:
    assert rows(page(worker())) == (Row("w", 2, 3, 1.25, 4, 512, 1024),)


def test_a_name_is_read_as_it_was_before_it_was_made_html() -> None:
    assert rows(page(worker("a&amp;b")))[0].name == "a&b"


def test_a_worker_without_a_limit_has_none() -> None:
    assert rows(page(worker(limit="None")))[0].limit == 0


def test_a_page_without_workers_has_none() -> None:
    assert rows(page()) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<p>Not found</p>", "no table"),
        (page(worker(), titles=TITLES[:6]), "no column 'Processing'"),
        (page("<tr><td>1</td></tr>"), "too few cells"),
        (page(worker().replace("<td> 3 </td>", "<td> many </td>")), "many"),
    ],
)
def test_a_page_that_is_something_else_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows(text)


def test_every_one_of_a_thousand_workers_is_read() -> None:
    text = page(*(worker(f"w{number}") for number in range(1000)))
    assert len({row.name for row in rows(text)}) == 1000
