"""``python -m bench.table``: writes ``docs/sizing.md`` from what the sizing benchmark has measured."""

import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.sizing import RESULTS, Row

PAGE = Path("docs") / "sizing.md"

HEAD = """# Sizing

Written by `make bench` and `make bench-incumbent` (dask-kubernetes 2026.3.0, for a while in place of ours), which
measure on the local cluster: one machine for the API server, etcd, the operator and fake nodes, which run nothing. What
depends on the machine is compared with bare Pods, made directly and as fast as the API server takes them, in the same
run. Kubernetes' own scheduler and controllers have client limits by default (its scheduler binds about 50 Pods a
second), which hide much of what an operator costs: so everything is measured with them and without.

This machine: {cores} cores, {system}.
"""


def main() -> None:
    """Write the page."""
    parts = [HEAD.format(cores=_cores(), system=platform.machine())]
    for limits in ("default", "raised"):
        path = RESULTS / f"{limits}.json"
        if path.exists():
            theirs = {row.measure: row for row in _rows(RESULTS / f"incumbent-{limits}.json")}
            parts.append(f"## Kubernetes' client limits: {limits}\n\n{table(_rows(path), theirs)}")
    PAGE.write_text("\n".join(parts))
    print(f"{PAGE} is written")


def _rows(path: Path) -> list[Row]:
    """What was measured; nothing where it was not."""
    return [Row(**item) for item in json.loads(path.read_text())] if path.exists() else []


def _cores() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())


def table(rows: Iterable[Row], theirs: Mapping[str, Row]) -> str:
    """The rows as a table in Markdown, beside those of dask-kubernetes by their measure."""
    lines = [
        "| measure | operator | bare Pods | ratio | meant to be | dask-kubernetes |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        floor = f"{row.floor:.2f} {row.unit}" if row.floor else ""
        ratio = f"{row.value / row.floor:.2f}" if row.floor else ""
        other = theirs.get(row.measure)
        beside = f"{other.value:.2f} {other.unit}" if other is not None else ""
        lines.append(
            f"| {row.measure} | {row.value:.2f} {row.unit} | {floor} | {ratio} | {row.bar} | {beside} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
