"""Prints the table of all shapes: ``python -m tests.simulation``."""

from tests.simulation.policies import Incumbent, Ours
from tests.simulation.shapes import SHAPES, STARTS
from tests.simulation.trial import Result, mean, worst

SEEDS = range(3)


def main() -> None:
    """Print, for each shape and start time, multiples of the bound (the worst of three runs) and plain means."""
    print(
        "shape            start    time ×  cost ×  turns    its time ×  cost ×  turns    time s  its  cost s  its"
    )
    for name in SHAPES:
        for start in STARTS:
            ours = [Result.of(name, start, seed, Ours) for seed in SEEDS]
            theirs = [Result.of(name, start, seed, Incumbent) for seed in SEEDS]
            print(
                f"{name:16s} {start:5.0f} {_three(ours)}     {_three(theirs)}   "
                f"{mean(r.makespan for r in ours):6.0f} {mean(r.makespan for r in theirs):6.0f} "
                f"{mean(r.worker_seconds for r in ours):7.0f} {mean(r.worker_seconds for r in theirs):6.0f}"
            )


def _three(results: list[Result]) -> str:
    slower, dearer = worst(r.slower for r in results), worst(r.dearer for r in results)
    return f"   {slower:5.2f}   {dearer:5.2f}   {worst(r.reversals for r in results):4.0f}"


if __name__ == "__main__":
    main()
