"""``python -m bench [NAME ...]``: run the benchmarks, all or some, on the cluster that KUBECONFIG names."""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

from bench import api_calls, autoscaler, first_result, incumbent, jobs, port_forward, sizing, wake

BENCHMARKS: dict[str, Callable[[], Iterator[str]]] = {
    "api-calls": api_calls.run,
    "first-result": first_result.run,
    "port-forward": port_forward.run,
    "jobs": jobs.run,
    "sizing": sizing.run,
    **{f"sizing.{part}": partial(sizing.run, part) for part in sizing.PARTS},
    "autoscaler": autoscaler.run,
    "wake": wake.run,
}


ASKED_FOR = {"incumbent": incumbent.run}
"""Those that run only where they are named."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or [name for name in BENCHMARKS if "." not in name]
    known = {**BENCHMARKS, **ASKED_FOR}
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names:
        print(f"\n{name}")
        for line in known[name]():
            print(f"  {line}", flush=True)


main()
