"""Every line of a pass says which object it is about."""

import json
import logging

import pytest
from dask_operator_api import passes
from dask_operator_api.logs import OBJECT, JsonFormatter, PlainFormatter


def line(formatter: logging.Formatter, about: str = "") -> str:
    record = logging.LogRecord("part", logging.INFO, "", 0, "created %d workers", (3,), None)
    if about:
        setattr(record, OBJECT, about)
    return formatter.format(record)


def test_a_line_of_a_pass_has_object_generation_and_duration() -> None:
    with passes.over("DaskCluster ns/a") as one:
        passes.found(7)
        one.began -= 2.0
        told = json.loads(line(JsonFormatter()))
        plain = line(PlainFormatter())
    assert (told["object"], told["generation"], told["message"]) == (
        "DaskCluster ns/a",
        7,
        "created 3 workers",
    )
    assert told["seconds"] == pytest.approx(2.0, abs=0.5)
    assert "[DaskCluster ns/a generation 7, 2." in plain
    assert plain.endswith("created 3 workers")


def test_a_line_of_no_pass_has_none_of_them() -> None:
    assert "object" not in json.loads(line(JsonFormatter()))
    assert line(PlainFormatter()).endswith("part: created 3 workers")


def test_a_line_of_no_pass_may_name_its_object_itself() -> None:
    told = json.loads(line(JsonFormatter(), "Service ns/a"))
    assert (told["object"], "generation" in told) == ("Service ns/a", False)
    assert "[Service ns/a] created" in line(PlainFormatter(), "Service ns/a")
