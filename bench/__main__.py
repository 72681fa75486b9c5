"""``python -m bench [NAME ...]``: run the benchmarks, all or some, on the cluster that KUBECONFIG names."""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

from bench import api_calls, autoscaler, first_result, jobs, port_forward, sizing, wake

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


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or [name for name in BENCHMARKS if "." not in name]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"\n{name}")
        for line in BENCHMARKS[name]():
            print(f"  {line}", flush=True)


main()
