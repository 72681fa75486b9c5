"""``python -m bench.table``: writes ``docs/sizing.md`` from what the sizing benchmark has measured."""

import platform
from pathlib import Path

from bench import results
from bench.results import Results, Row

PAGE = Path("docs") / "sizing.md"

HEAD = """# Sizing

Written by `make bench` and `make bench-incumbent` (dask-kubernetes 2026.3.0, for a while in place of ours), which
measure on the local cluster: one machine for the API server, etcd, the operator and fake nodes, which run nothing. What
depends on the machine is compared with bare Pods, made directly and as fast as the API server takes them, in the same
run. Kubernetes' own scheduler and controllers have client limits by default (its scheduler binds about 50 Pods a
second), which hide much of what an operator costs: so it is measured with them and without. What five hundred clusters
cost does not depend on them, and is measured without only.

This machine: {cores} cores, {system}.
"""


def main() -> None:
    """Write the page."""
    parts = [HEAD.format(cores=_cores(), system=platform.machine())]
    for limits in ("default", "raised"):
        parts.append(section(limits, results.load(limits), results.load(f"incumbent-{limits}")))
    PAGE.write_text("\n".join(parts))
    print(f"{PAGE} is written")


def _cores() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())


def section(limits: str, ours: Results, theirs: Results) -> str:
    """What was measured under some client limits, and when, in Markdown."""
    title = f"## Kubernetes' client limits: {limits}"
    told = f"The operator: {ours}. dask-kubernetes: {theirs}."
    return f"{title}\n\n{told}\n\n{table(ours.rows, theirs.rows)}"


def table(rows: list[Row], theirs: list[Row]) -> str:
    """The rows as a table, beside those of dask-kubernetes by their measure."""
    beside = {row.measure: f"{row.value:.2f} {row.unit}" for row in theirs}
    lines = [
        "| measure | operator | bare Pods | ratio | meant to be | dask-kubernetes |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        floor = f"{row.floor:.2f} {row.unit}" if row.floor else ""
        ratio = f"{row.value / row.floor:.2f}" if row.floor else ""
        bar = row.bar if row.is_met else f"{row.bar}: **not met**"
        cells = [row.measure, f"{row.value:.2f} {row.unit}", floor, ratio, bar, beside.get(row.measure, "")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
