"""What was measured, kept from run to run with where it comes from."""

import json
import operator
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path("build") / "bench"

_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    measure: str
    value: float
    unit: str
    floor: float | None = None
    """The same for bare Pods, in the same unit."""
    bar: str = ""
    """What it is meant to be: ``<= 90`` in its unit, or ``<= 1.15 x`` times the floor."""

    def __str__(self) -> str:
        against = f", bare Pods {self.floor:.2f}: {self.value / self.floor:.2f} x" if self.floor else ""
        wanted = f" (bar: {self.bar}{'' if self.is_met else ', NOT MET'})" if self.bar else ""
        return f"{self.measure}: {self.value:.2f} {self.unit}{against}{wanted}"

    @property
    def is_met(self) -> bool:
        """Whether it is what it is meant to be; a row without a bar is."""
        if not self.bar:
            return True
        sign, limit, *unit = self.bar.split()
        value = self.value / self.floor if unit == ["x"] and self.floor else self.value
        return bool(_COMPARE[sign](value, float(limit)))


@dataclass(frozen=True)
class Results:
    """The rows of one run."""

    rows: list[Row] = field(default_factory=list)
    taken: str = ""
    """The day."""
    commit: str = ""
    """Of this repository, with a ``+`` where the checkout was not clean."""
    whole: bool = False
    """Whether the run has come to its end."""

    def __str__(self) -> str:
        if not self.rows:
            return "not measured"
        return f"measured on {self.taken} at {self.commit}" + ("" if self.whole else ", and not to its end")


def keep(name: str, rows: Iterable[Row], whole: bool) -> None:
    """Keep what was measured so far, be it the ``whole`` or not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = Results(list(rows), datetime.now(UTC).date().isoformat(), COMMIT, whole)
    (FOLDER / f"{name}.json").write_text(json.dumps(asdict(kept), indent=1))


def load(name: str) -> Results:
    """What was kept under that name; empty where nothing was."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        return Results()
    held = json.loads(path.read_text())
    if not isinstance(held, dict):  # as former releases kept it
        return Results()
    return Results(**{**held, "rows": [Row(**row) for row in held["rows"]]})


def _commit() -> str:
    """Of the checkout, from which `make bench` has just installed what is measured."""
    asked = ["git", "describe", "--always", "--dirty=+"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "an unknown commit"


COMMIT = _commit()
"""As the benchmark began: it takes a while, and the checkout may move on."""
