"""What is waited for is shown where people look."""

import io
import sys
from types import ModuleType
from typing import Any

import pytest
from dask_operator_client.progress import Lines, Notebook, Terminal, progress_for, table_html
from dask_operator_client.waiting import Row

ROWS = (Row("scheduler", "ready"), Row("workers", "0 of 2 connected", "no node takes them"))


def test_a_file_gets_one_line_per_change() -> None:
    stream = io.StringIO()
    line = Lines("c", stream)
    assert [line.show("one"), line.show("one"), line.show("two", ROWS)] == [True, False, True]
    line.finish("ready")
    assert stream.getvalue() == "c: one\nc: two\nc: ready\n"


def test_a_terminal_shows_every_part_with_its_reason_and_is_left_with_one_line() -> None:
    stream = io.StringIO()
    block = Terminal("c", stream)
    block.show("words")
    assert stream.getvalue() == "\r\x1b[Jc: words [0 s]"
    block.show("words", ROWS)
    assert "workers    0 of 2 connected   no node takes them" in stream.getvalue()
    before = len(stream.getvalue())
    block.finish("ready")
    assert stream.getvalue()[before:] == "\x1b[2F\r\x1b[Jc: ready [0 s]\n"


def test_a_line_longer_than_the_terminal_is_cut() -> None:
    stream = io.StringIO()
    Terminal("c", stream).show("x" * 5000, (Row("workers", "waiting", "y" * 5000),))
    assert len(stream.getvalue()) < 1000


def test_quiet_progress_shows_nothing_and_still_knows_what_is_news(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = progress_for("c", quiet=True)
    assert progress.show("one")
    progress.finish("ready")
    assert capsys.readouterr() == ("", "")


class Display(ModuleType):
    """IPython's display, remembering what was shown in the one cell output that it has."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.outputs: list[str] = []
        self.HTML = str

    def display(self, markup: str, display_id: bool) -> Any:
        self.outputs.append(markup)
        return self

    def update(self, markup: str) -> None:
        self.outputs[-1] = markup


def test_a_notebook_gets_one_table_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Display()
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    progress = progress_for("c", quiet=False)
    assert isinstance(progress, Notebook)
    assert [progress.show("one"), progress.show("one", ROWS)] == [True, False]
    assert "no node takes them" in shown.outputs[0]
    progress.finish("ready")
    assert shown.outputs == ["<div>c: ready [0 s]</div>"]


def test_what_others_wrote_is_escaped() -> None:
    assert "<script>" not in table_html("<script>", (Row("<script>", "<script>", "<script>"),))
