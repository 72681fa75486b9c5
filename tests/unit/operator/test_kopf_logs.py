"""Of kopf's lines those that somebody needs are logged."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import kopf
import pytest
from dask_operator import logs
from dask_operator.settings import Settings
from dask_operator_api.logs import OBJECT
from kopf._core.actions.loggers import ObjectLogger

SERVICE = kopf.Body({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "ns"}})


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged as the operator sets it up; afterwards all is as it was."""
    loggers = [logging.getLogger(name) for name in ("", "kopf", logs.OF_HANDLERS)]
    levels, handlers = [one.level for one in loggers], loggers[0].handlers[:]
    loggers[0].handlers.clear()  # or they would be closed
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.set_up(Settings(log_format="json"))
    yield stream
    loggers[0].handlers[:] = handlers
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


def test_what_a_plugins_handler_says_is_logged_with_its_object(logged: io.StringIO) -> None:
    said = ObjectLogger(body=SERVICE, settings=kopf.OperatorSettings())
    said.info("before")
    logs.let_plugins_speak()
    said.info("done")
    [line] = [json.loads(text) for text in logged.getvalue().splitlines()]
    assert (line["message"], line["object"]) == ("done", "Service ns/a")


@pytest.mark.parametrize(
    ("name", "level", "text", "kept"),
    [
        (logs.OF_HANDLERS, logging.INFO, "Handler 'saw-Service' succeeded.", False),
        (logs.OF_HANDLERS, logging.INFO, "Timer 'often' succeeded.", False),
        (logs.OF_HANDLERS, logging.INFO, "Creation is processed: 1 succeeded; 0 failed.", False),
        (logs.OF_HANDLERS, logging.ERROR, "Handler 'saw-Service' failed: no", True),
        (logs.OF_HANDLERS, logging.INFO, "the address is in the ConfigMap", True),
        ("kopf._core.reactor.running", logging.WARNING, "OS signals are ignored: not the main thread", False),
        ("dask_operator.life", logging.INFO, "OS signals are ignored", True),
    ],
)
def test_that_a_handler_was_called_and_all_is_well_is_not_told(
    name: str, level: int, text: str, kept: bool
) -> None:
    record = logging.LogRecord(name, level, "", 0, text, (), None)
    assert logs.QuietKopf().filter(record) is kept
    assert getattr(record, OBJECT, "") == ""


def test_a_request_that_fails_again_and_again_is_told_once_a_minute() -> None:
    quiet = logs.QuietKopf()
    records = [
        logging.LogRecord("kopf.x", logging.ERROR, "", 0, f"{logs.RETRYING} {n}", (), None) for n in range(5)
    ]
    assert [quiet.filter(record) for record in records] == [True, False, False, False, False]
