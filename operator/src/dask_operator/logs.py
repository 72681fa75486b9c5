"""What the operator logs of kopf: what plugins say and what goes wrong, without its own talk."""

import logging
import re
import time

from dask_operator_api import logs

from dask_operator.settings import Settings

REPEAT_SECONDS = 60.0
RETRYING = "Request attempt"

OF_HANDLERS = "kopf.objects"
"""The logger that kopf hands to every handler, and itself logs to how they fared."""

TALK = re.compile(r"(Handler|Timer|Daemon|Indexer|Activity) '[^']*' succeeded\.$|\w+ is processed: ")
"""What kopf says there whenever all is well: a line for each event that a handler has taken."""


class QuietKopf(logging.Filter):
    """Leaves out of kopf's lines what nobody needs, and says of the others which object they are about.

    There is one line for every try of every watch: one a minute is let through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if not record.name.startswith("kopf"):
            return True
        about = getattr(record, "k8s_ref", None)
        if about is not None:
            setattr(record, logs.OBJECT, _name(about))
        text = record.getMessage()
        if text.startswith("OS signals are ignored"):  # on purpose: they are the operator's
            return False
        if record.levelno <= logging.INFO and TALK.match(text):
            return False
        if not text.startswith(RETRYING):
            return True
        now = time.monotonic()
        if self._told is not None and now - self._told < REPEAT_SECONDS:
            return False
        self._told = now
        return True


def _name(about: dict[str, str]) -> str:
    """What kopf calls an object, as the operator does."""
    space = f"{about.get('namespace')}/" if about.get("namespace") else ""
    return f"{about.get('kind')} {space}{about.get('name')}"


def set_up(settings: Settings) -> None:
    """Log to standard error, in the form and from the level that the settings say."""
    logs.set_up(settings.log_level, settings.log_format, QuietKopf())
    level = max(logging.getLogger().level, logging.WARNING)
    logging.getLogger("kopf").setLevel(level)


def let_plugins_speak() -> None:
    """Log what handlers say, from the same level as everything else, but not below: kopf would log whole objects."""
    logging.getLogger(OF_HANDLERS).setLevel(max(logging.getLogger().level, logging.INFO))
