"""A small world around the real pass over a job: an API server, kubelets and the cluster's own controller in memory.

What must never happen is asserted where it would happen: in the fakes.
"""

from typing import Any

from dask_operator.errors import SchedulerUnreachable
from dask_operator.observed import DaskWorker
from dask_operator.store import Key
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest, items, section

from tests.unit.operator.job_platform import Platform
from tests.unit.operator.operating import Operating
from tests.unit.operator.worlds import NOW

KEY = Key(Kind.JOB, "ns", "j")


class FakeSchedulers:
    """Dask schedulers: they answer while they truly run, each at its own address."""

    def __init__(self, world: "JobWorld") -> None:
        self._world = world

    async def workers(self, host: str, port: int, with_loads: bool) -> tuple[DaskWorker, ...]:
        pod = self._world.scheduler()
        if self._world.silent or pod is None or pod.ip != host:
            raise SchedulerUnreachable("connection refused")
        return ()


class JobWorld(Platform, Operating):
    """One job, the operator, and what happens to them."""

    key = KEY

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.silent = False
        """Whether schedulers do not answer."""
        self.most_attempts = 0

    def clock(self) -> float:
        """Monotonic seconds; no two readings are the same."""
        self._readings += 1
        return NOW + self._elapsed()

    def schedulers(self) -> FakeSchedulers:
        return FakeSchedulers(self)

    # -- what must hold

    @property
    def status(self) -> Manifest:
        return section(self.kube.objects.get(("DaskJob", "j")), "status")

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        held = next((c for c in items(self.status, "conditions") if c["type"] == kind), {})
        return (str(held.get("status", "")), str(held.get("reason", "")))

    @property
    def verdict(self) -> str:
        """The reason of the terminal condition; empty where there is none."""
        return verdict_in(self.status)

    def _owner_uid(self, body: Manifest) -> str:
        return str(items(body, "metadata", "ownerReferences")[0]["uid"])

    def _is_old(self, body: Manifest) -> bool:
        """Whether something belongs to a job that is gone: the operator may not have heard of that yet."""
        job = self.kube.objects.get(("DaskJob", "j"))
        old = job is None or job["metadata"]["uid"] != self._owner_uid(body)
        assert not old or "DaskJob" in self.deaf_to, "something was created for a job that is gone"
        return old

    def check_create(self, kind: str, body: Manifest) -> None:
        """Nothing is made that could meet what is left of an attempt before; and never two runners."""
        if self._is_old(body):
            return
        assert not self.verdict, f"{kind} was created for a job that has ended"
        assert not self.alive_runners(), f"{kind} was created while a runner is alive"
        mine = {
            held["metadata"]["uid"]
            for held in self.runners()
            if self._owner_uid(held) == self._owner_uid(body)
        }
        assert not mine & self.done, f"{kind} was created for a program that has succeeded"
        numbers = [item["number"] for item in items(self.status, "attempts") if not item.get("outcome")]
        noted = body["metadata"]["annotations"]["kubernetes.dask.org/attempt"]
        assert [str(number) for number in numbers] == [noted], "an attempt was not stored before it was made"
        if kind == Kind.CLUSTER:
            left = [name for (_, name) in self.kube.objects if name == "j-scheduler"]
            assert not left, "a cluster was created while another's scheduler has its name"

    def check_delete(self, kind: str, body: Manifest) -> None:
        """What belongs to the attempt that goes on is not taken away; and a verdict comes before the cleaning."""
        present = [item["number"] for item in items(self.status, "attempts") if not item.get("outcome")]
        number = body["metadata"].get("annotations", {}).get("kubernetes.dask.org/attempt")
        old = number is None or self._is_old(body)
        assert old or int(number) not in present, f"{kind} of the present attempt was taken away"

    check_patch = check_delete

    def check_status(self, before: Manifest, after: Manifest) -> None:
        if verdict_in(before):
            assert verdict_in(after) == verdict_in(before), "a verdict was changed"
            assert after.get("endTime") == before.get("endTime"), "the end was moved"
        known = [item["number"] for item in items(after, "attempts")]
        assert known == sorted(set(known)), "attempts out of order"
        told = {item["number"]: item for item in items(after, "attempts")}
        for item in items(before, "attempts"):
            again, was = told.get(item["number"], item).get("outcome"), item.get("outcome")
            late = again == "Succeeded" and str(was) in (
                "Suspended",
                "SchedulerLost",
                "ClusterLost",
                "RunnerLost",
            )
            assert was in (None, again) or late, "an attempt ended twice"
        for item in told.values():
            uid, outcome = item.get("runnerUID"), item.get("outcome")
            assert outcome != "ProgramFailed" or uid in self.own_failures, (
                "the platform's failure is the program's"
            )
            times = [item.get(name, "") for name in ("beginTime", "startTime", "endTime")]
            assert sorted(filter(None, times)) == list(filter(None, times)), f"times out of order: {times}"
        self.most_attempts = max([self.most_attempts, *known])


def verdict_in(status: Manifest) -> str:
    """The reason of the terminal condition in a status; empty where there is none."""
    ended = [
        c
        for c in items(status, "conditions")
        if c["type"] in ("Complete", "Failed") and c["status"] == "True"
    ]
    assert len(ended) < 2, "a job has both succeeded and failed"
    return str(ended[0]["reason"]) if ended else ""
