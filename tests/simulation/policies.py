"""Who decides: this autoscaler, or the rule of the operator that people come from."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from dask_operator_api.autoscaling import AutoscalerSpec
from dask_operator_autoscaler import demand as reckoning
from dask_operator_autoscaler.decide import Memory, Observed, decide

from tests.simulation.model import GROUP, Cluster

JITTER = 0.1


@dataclass
class Ours:
    """``demand`` and ``decide`` as the autoscaler's loop calls them."""

    spec: AutoscalerSpec
    memory: Memory = field(default_factory=Memory)

    def poll(self, cluster: Cluster) -> float:
        """Decide once; gives the seconds until the next look."""
        answers = cluster.answers()
        coming = max(0, cluster.replicas - len(answers.names))
        place = reckoning.Place(
            GROUP,
            cluster.replicas,
            self.spec.maximum,
            target_seconds=self.spec.target_duration,
            start_seconds=self.memory.start_seconds or 0.0,
            head_start=self.memory.head_start(cluster.now, coming),
        )
        seen = Observed(cluster.replicas, len(answers.names), reckoning.demand(place, answers))
        decision = decide(self.spec, seen, self.memory, cluster.now)
        # what a restart would leave of it
        self.memory = Memory.parse(decision.memory.as_status())
        if decision.replicas != cluster.replicas:
            cluster.scale(decision.replicas)
        return decision.again


@dataclass
class Incumbent:
    """The scheduler's wish every 5 s, at most 25 % fewer a step, and 15 s of rest after each step."""

    spec: AutoscalerSpec
    rest_until: float = 0.0

    def poll(self, cluster: Cluster) -> float:
        """Decide once; gives the seconds until the next look."""
        current = cluster.replicas
        if cluster.now >= self.rest_until:
            wanted = max(self.spec.minimum, min(self.spec.maximum, cluster.target()))
            if current > 0:
                wanted = max(current - max(1, int(current * 0.25)), wanted)
            if wanted != current:
                cluster.scale(wanted)
                self.rest_until = cluster.now + 15.0
        return 5.0


Policy = Ours | Incumbent


def run(cluster: Cluster, policy: Policy, chance: random.Random, horizon: float) -> None:
    """Let ``policy`` look at the cluster again and again until all is over."""

    def look() -> None:
        pause = policy.poll(cluster)
        cluster.at(cluster.now + pause * chance.uniform(1 - JITTER, 1 + JITTER), look)

    first: Callable[[], None] = look
    cluster.at(chance.uniform(0, 1.0 if isinstance(policy, Ours) else 5.0), first)
    cluster.run(horizon)
