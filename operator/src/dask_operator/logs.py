"""How the operator logs: to standard error, a line a record."""

import json
import logging
import re
import sys
import time

from dask_operator.settings import Settings

REPEAT_SECONDS = 60.0
_COUNTER = re.compile(r"#\d+(/\d+)?")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class QuietKopf(logging.Filter):
    """Lets each complaint of kopf through once a minute: it repeats them with every try, for every watch."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if not record.name.startswith("kopf"):
            return True
        text = _COUNTER.sub("", record.getMessage())
        if text.startswith("OS signals are ignored"):  # on purpose: they are the operator's
            return False
        now = time.monotonic()
        self._last = {known: at for known, at in self._last.items() if now - at < REPEAT_SECONDS}
        return self._last.setdefault(text, now) == now


def set_up(settings: Settings) -> None:
    """Log to standard error, in the form and from the level that the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else plain)
    handler.addFilter(QuietKopf())
    level = settings.log_level.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(level), logging.WARNING))
