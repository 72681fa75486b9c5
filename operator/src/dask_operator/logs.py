"""How the operator logs: to standard error, a line a record."""

import json
import logging
import sys
import time

from dask_operator import passes
from dask_operator.settings import Settings

REPEAT_SECONDS = 60.0
RETRYING = "Request attempt"


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
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class PlainFormatter(logging.Formatter):
    """A line for people, with the object that it is about in front of the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(about)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        one = passes.current()
        generation = f" generation {one.generation}" if one and one.generation is not None else ""
        record.about = f"[{one.object}{generation}, {one.seconds:.3f} s] " if one is not None else ""
        return super().format(record)


class QuietKopf(logging.Filter):
    """Lets one line about failing requests of kopf through a minute: there is one for every try of every watch."""

    def __init__(self) -> None:
        super().__init__()
        self._told: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if not record.name.startswith("kopf"):
            return True
        text = record.getMessage()
        if text.startswith("OS signals are ignored"):  # on purpose: they are the operator's
            return False
        if not text.startswith(RETRYING):
            return True
        now = time.monotonic()
        if self._told is not None and now - self._told < REPEAT_SECONDS:
            return False
        self._told = now
        return True


def set_up(settings: Settings) -> None:
    """Log to standard error, in the form and from the level that the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else PlainFormatter())
    handler.addFilter(QuietKopf())
    level = settings.log_level.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(level), logging.WARNING))
