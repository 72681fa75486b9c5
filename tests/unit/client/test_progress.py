"""The line that says what is waited for."""

import io

from dask_operator_client.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_one_line_per_change() -> None:
    stream = io.StringIO()
    line = ProgressLine("c", stream=stream)
    assert [line.show("one"), line.show("one"), line.show("two")] == [True, False, True]
    assert stream.getvalue() == "c: one\nc: two\n"


def test_a_terminal_gets_one_line_that_is_rewritten_and_ended_once() -> None:
    stream = Terminal()
    line = ProgressLine("c", stream=stream)
    line.show("one")
    line.show("two")
    assert "\n" not in stream.getvalue()
    line.finish("ready")
    line.finish()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\r") == 3


def test_a_line_longer_than_the_terminal_is_cut() -> None:
    stream = Terminal()
    ProgressLine("c", stream=stream).show("x" * 5000)
    assert len(stream.getvalue()) < 500


def test_a_quiet_line_shows_nothing_and_still_knows_what_is_news() -> None:
    stream = io.StringIO()
    line = ProgressLine("c", quiet=True, stream=stream)
    assert line.show("one")
    line.finish("ready")
    assert stream.getvalue() == ""
