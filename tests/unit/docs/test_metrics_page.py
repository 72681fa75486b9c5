"""The page for admins lists every metric with its labels, and no other."""

import re
from pathlib import Path

from dask_operator.metrics import Gauges, Metrics
from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
NOW = Gauges(True, True, queued=0, oldest=0.0, served=1, left_out=0, workers={"ready": 1})


def told() -> dict[str, set[str]]:
    """Metrics and their labels, as the page has them."""
    rows = re.findall(r"^\| `(dask_operator_\w+)` \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def served() -> dict[str, set[str]]:
    """The same, as the operator serves them."""
    metrics = Metrics()
    metrics.watch(lambda: NOW)
    metrics.passed("DaskCluster", 0.1, ValueError())
    metrics.refused("QuotaExceeded")
    metrics.called("GET", 200)
    metrics.retired(1, "")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.page().decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                name = sample.name if family.type == "counter" else family.name
                found.setdefault(name, set()).update(set(sample.labels) - {"le"})
    return found


def test_every_metric_is_on_the_page_with_its_labels() -> None:
    assert told() == served()
