"""How the programs log: to standard error, a line a record, with the object that it is about."""

import json
import logging
import sys

from dask_operator_api import passes

OBJECT = "object"
"""Attribute of a record that belongs to no pass: what it is about, as ``<kind> <namespace>/<name>``."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        one = passes.current()
        if one is not None:
            line |= {"object": one.object, "generation": one.generation, "seconds": round(one.seconds, 4)}
        elif getattr(record, OBJECT, ""):
            line["object"] = getattr(record, OBJECT)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class PlainFormatter(logging.Formatter):
    """A line for people, with the object that it is about in front of the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(about)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        record.about = _about(record)
        return super().format(record)


def _about(record: logging.LogRecord) -> str:
    one = passes.current()
    if one is None:
        name = getattr(record, OBJECT, "")
        return f"[{name}] " if name else ""
    generation = f" generation {one.generation}" if one.generation is not None else ""
    return f"[{one.object}{generation}, {one.seconds:.3f} s] "


def set_up(level: str, form: str, *filters: logging.Filter) -> None:
    """Log what is at least of that ``level``, as ``json`` or for the ``console``, and passes all ``filters``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else PlainFormatter())
    for each in filters:
        handler.addFilter(each)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
