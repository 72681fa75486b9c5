"""The lists of conditions and reasons that people read are those that the programs have."""

import re
from pathlib import Path

from dask_operator_api.conditions import TROUBLE, ConditionType, Reason

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "conditions.md").read_text()


def _in_table(title: str, column: int) -> set[str]:
    """The words in code style in one column of the table under a heading."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| ")]
    return {word for row in rows for word in re.findall(r"`(\w+)`", row[column])}


def test_every_type_of_condition_is_on_the_page() -> None:
    assert _in_table("Types", 2) == {kind.value for kind in ConditionType}


def test_every_reason_is_on_the_page() -> None:
    assert _in_table("Reasons", 1) == {reason.value for reason in Reason}


def test_every_trouble_has_a_remedy_on_the_page() -> None:
    section = PAGE.split("## Reasons\n")[1].split("\n## ")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| ")]
    with_remedy = {word for row in rows if row[3].strip() for word in re.findall(r"`(\w+)`", row[1])}
    assert {reason.value for reason in TROUBLE} <= with_remedy
