"""Settings from environment variables: each is read as what it is meant to be, or refused by its name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("debug", "info", "warning", "error")
"""How much a program logs."""

FORMATS = ("console", "json")
"""How it does so."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used."""


@dataclass(frozen=True)
class Environment:
    """Variables whose names all begin with ``prefix``. One that is empty counts as one that is not set.

    Every method raises :class:`SettingsError`, with the whole name of the variable, for a value that cannot be used.
    """

    variables: Mapping[str, str]
    prefix: str

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return self.variables.get(self.prefix + name) or default

    def number(self, name: str, default: float, least: float) -> float:
        """A number that is not less than ``least``."""
        text = self.variables.get(self.prefix + name)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            raise self._refused(name, "is not a number") from None
        if not math.isfinite(value):
            raise self._refused(name, "is not a number that can be counted to")
        if value < least:
            raise self._refused(name, f"is less than {least:g}")
        return value

    def port(self, name: str, default: int) -> int:
        """The number of a TCP port."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise self._refused(name, "is not the number of a port")
        return int(text)

    def names(self, name: str) -> tuple[str, ...]:
        """The names in a list separated by commas, each once, in the order of the alphabet."""
        return tuple(sorted({part.strip() for part in self.text(name, "").split(",") if part.strip()}))

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of ``choices``."""
        value = self.text(name, default)
        if value not in choices:
            raise self._refused(name, f"is not one of {', '.join(choices)}")
        return value

    def truth(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        return self.choice(name, str(default).lower(), ("true", "false")) == "true"

    def _refused(self, name: str, why: str) -> SettingsError:
        variable = self.prefix + name
        return SettingsError(f"{variable}={self.variables.get(variable)!r} {why}")
