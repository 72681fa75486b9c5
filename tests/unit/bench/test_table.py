"""The sizing table says what was measured, when, and what is not as it is meant to be."""

from pathlib import Path

import pytest

from bench import results
from bench.results import Results, Row
from bench.table import section, table


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("memory", 91.0, "MiB", bar="<= 90"), False),
        (Row("memory", 90.0, "MiB", bar="<= 90"), True),
        (Row("to all Ready", 9.0, "s", 8.0, "<= 1.15 x"), True),
        (Row("to all Ready", 9.3, "s", 8.0, "<= 1.15 x"), False),
        (Row("Pods a second", 119.0, "/s", bar=">= 120"), False),
        (Row("delay", 0.3, "s", 0.26, "<= 0.2 s"), False),
        (Row("delay", 0.19, "s", 0.26, "<= 0.2 s"), True),
        (Row("no bar", 1e6, "s"), True),
    ],
)
def test_a_bar_is_in_the_unit_of_its_row_or_in_times_of_the_floor(row: Row, met: bool) -> None:
    assert row.is_met is met
    assert ("NOT MET" in str(row)) is not met
    assert ("**not met**" in table([row], [])) is not met


def test_theirs_stands_beside_ours_by_its_measure() -> None:
    ours = [Row("a", 1.0, "s", 2.0), Row("b", 3.0, "s")]
    lines = table(ours, [Row("b", 4.0, "s"), Row("c", 5.0, "s")]).splitlines()
    assert lines[2:] == ["| a | 1.00 s | 2.00 s | 0.50 |  |  |", "| b | 3.00 s |  |  |  | 4.00 s |"]


def test_a_section_says_where_its_numbers_come_from() -> None:
    ours = Results([Row("a", 1.0, "s")], "2026-01-02", "0123abc", whole=False)
    text = section("raised", ours, Results())
    assert "The operator: measured on 2026-01-02 at 0123abc, and not to its end." in text
    assert "dask-kubernetes: not measured." in text


def test_what_is_kept_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    rows = [Row("a", 1.0, "s", 2.0, "<= 1 x")]
    results.keep("default", rows, whole=True)
    found = results.load("default")
    assert (found.rows, found.whole) == (rows, True)
    assert found.taken
    assert found.commit
