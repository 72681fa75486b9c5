"""The page for admins lists every metric with its labels, and no other."""

import re
from pathlib import Path

import dask_operator.metrics as of_operator
import dask_operator_autoscaler.metrics as of_autoscaler
import pytest
from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def told(autoscaler: bool) -> dict[str, set[str]]:
    """Metrics and their labels, as the page has them."""
    rows = re.findall(r"^\| `(dask_operator_\w+)` \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    return {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in rows
        if name.startswith(of_autoscaler.PREFIX) == autoscaler
    }


def read(page: bytes) -> dict[str, set[str]]:
    """The same, as a program serves them."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                name = sample.name if family.type == "counter" else family.name
                found.setdefault(name, set()).update(set(sample.labels) - {"le"})
    return found


def served_by_operator() -> bytes:
    metrics = of_operator.Metrics()
    now = of_operator.Gauges(True, True, queued=0, oldest=0.0, served=1, left_out=0, workers={"ready": 1})
    metrics.watch(lambda: now)
    metrics.passed("DaskCluster", 0.1, ValueError())
    metrics.refused("QuotaExceeded")
    metrics.called("GET", 200)
    metrics.left("retired")
    metrics.asked_to_retire("")
    return metrics.page()


def served_by_autoscaler() -> bytes:
    metrics = of_autoscaler.Metrics()
    metrics.watch(lambda: of_autoscaler.Gauges(True, True, autoscalers=1, clusters=1, lateness=0.0))
    metrics.visited(broke=True)
    metrics.decided("ReadyForNewScale")
    metrics.scaled(1, 2)
    metrics.asked(0.1, answered=True)
    metrics.called("GET", None)
    return metrics.page()


@pytest.mark.parametrize(
    ("autoscaler", "page"), [(False, served_by_operator()), (True, served_by_autoscaler())]
)
def test_every_metric_is_on_the_page_with_its_labels(autoscaler: bool, page: bytes) -> None:
    assert told(autoscaler) == read(page)
