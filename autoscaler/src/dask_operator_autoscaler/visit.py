"""One visit to one cluster: ask its scheduler, decide for each of its autoscalers, and do what was decided."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from dask_operator_api import passes
from dask_operator_api.autoscaling import DEFAULT_INTERVAL_SECONDS
from dask_operator_api.conditions import Reason
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest

from dask_operator_autoscaler import status as telling
from dask_operator_autoscaler.answers import Answers, Row, count_of, group_of
from dask_operator_autoscaler.decide import Decision, Memory, Observed, decide
from dask_operator_autoscaler.demand import Place, connected, demand
from dask_operator_autoscaler.errors import ApiError, Conflict, NotFound, SchedulerUnreachable
from dask_operator_autoscaler.events import event
from dask_operator_autoscaler.kube import Kube
from dask_operator_autoscaler.metrics import Metrics
from dask_operator_autoscaler.observed import Autoscaler, Cluster, Group
from dask_operator_autoscaler.scheduler import Lane, Question, Schedulers
from dask_operator_autoscaler.store import Identity, Store
from dask_operator_autoscaler.targets import Refusal, Target, targets

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 0.5
"""Pause before another look at a group that somebody has changed in the moment of a decision."""

MEMORY_SECONDS = 10.0
"""A memory that only grew is stored at most this often."""

LONGEST_PAUSE = 60.0
"""Seconds between two tries with a scheduler that does not answer, at most."""

Silence = tuple[Reason, str]
"""Why a scheduler said nothing, and in what words."""


@dataclass
class _Kept:
    """What is kept of an autoscaler between two visits."""

    memory: Memory
    stored: Memory
    """The memory as its status has it."""
    stored_at: float = 0.0
    written: Manifest = field(default_factory=dict)
    """The status last written."""
    scaled: Group | None = None
    """Its group as it was after it was last scaled by us."""


class Visitor:
    """Visits clusters.

    Args:
        store: what the API server has told.
        kube: calls to it.
        schedulers: calls to Dask.
        wall: epoch seconds.
        identity: who reports Events.
        metrics: what is counted.
    """

    def __init__(
        self,
        store: Store,
        kube: Kube,
        schedulers: Schedulers,
        wall: Callable[[], float],
        identity: str,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._store = store
        self._kube = kube
        self._schedulers = schedulers
        self._wall = wall
        self._identity = identity
        self._kept: dict[str, _Kept] = {}
        self._failures: dict[Identity, int] = {}

    async def visit(self, home: Identity) -> float | None:
        """Visit the cluster; gives the seconds until the next visit is due, None if nobody is interested."""
        scalers = [scaler for scaler in self._store.autoscalers.of(home) if not scaler.deleting]
        if not scalers:
            self._failures.pop(home, None)
            return None
        cluster = self._store.clusters.get(*home)
        groups = self._store.groups.of(home)
        chosen, refusals = targets(cluster, scalers, groups)
        for refusal in refusals:
            with _pass_over(refusal.scaler):
                await self._refuse(refusal)
        if cluster is None or not chosen:
            return DEFAULT_INTERVAL_SECONDS
        chosen = [replace(target, group=self._as_scaled(target)) for target in chosen]
        answers, silence = await self._ask(home, cluster, chosen, groups)
        standing = [after for before in chosen if (after := self._as_it_stands(before)) is not None]
        pauses = []
        for target in standing:
            with _pass_over(target.scaler):
                pauses.append(await self._decide(target, groups, answers, silence))
        pause = min(pauses, default=AGAIN_SECONDS)
        return max(pause, self._pause(home, pause))

    def forget(self, uids: set[str]) -> None:
        """Forget all autoscalers but these."""
        self._kept = {uid: kept for uid, kept in self._kept.items() if uid in uids}

    async def _ask(
        self, home: Identity, cluster: Cluster, chosen: Sequence[Target], groups: Sequence[Group]
    ) -> tuple[Answers | None, Silence | None]:
        if not cluster.base or not cluster.ready:
            return None, (Reason.SCHEDULER_STARTING, "the cluster's scheduler is not Ready")
        questions = [self._question(target, groups) for target in chosen]
        lane = Lane.SLOW if self._failures.get(home) else Lane.QUICK
        only = groups[0].name if len(groups) == 1 else ""
        try:
            answers = await self._schedulers.ask(cluster.base, questions, only, lane)
        except SchedulerUnreachable as error:
            self._failures[home] = self._failures.get(home, 0) + 1
            return None, (Reason.SCHEDULER_UNREACHABLE, f"the scheduler does not answer: {error}")
        self._failures.pop(home, None)
        return answers, None

    def _pause(self, home: Identity, interval: float) -> float:
        """How long a scheduler that does not answer is left alone; 0 for one that does."""
        failures = self._failures.get(home, 0)
        return min(LONGEST_PAUSE, interval * 2.0 ** min(failures - 1, 10)) if failures else 0.0

    def _question(self, target: Target, groups: Sequence[Group]) -> Question:
        spec = target.scaler.spec
        assert spec is not None
        return Question(self._place(target, groups, target.group.connected), spec.minimum, spec.maximum)

    def _place(self, target: Target, groups: Sequence[Group], present: int) -> Place:
        spec, group = target.scaler.spec, target.group
        assert spec is not None
        memory = self._keep(target.scaler).memory
        coming = max(0, group.replicas - present)
        return Place(
            group=group.name,
            replicas=group.replicas,
            maximum=spec.maximum,
            threads=memory.threads or group.threads,
            primary=target.primary,
            special=frozenset(item.name for item in groups if item.special),
            target_seconds=spec.target_duration,
            start_seconds=memory.start_seconds or 0.0,
            head_start=memory.head_start(self._wall(), coming),
        )

    async def _decide(
        self, target: Target, groups: Sequence[Group], answers: Answers | None, silence: Silence | None
    ) -> float:
        scaler, group, now = target.scaler, target.group, self._wall()
        spec, kept = scaler.spec, self._keep(scaler)
        assert spec is not None
        memory = await self._noticed(target, kept)
        observed = Observed(group.replicas, group.connected, None, group.unplaceable)
        if answers is not None:
            memory = replace(memory, threads=_threads(group.name, answers.rows) or memory.threads)
            present = connected(self._place(target, groups, 0), answers)
            place = self._place(target, groups, present)
            observed = replace(observed, connected=present, demand=demand(place, answers))
        decision = decide(spec, observed, memory, now)
        failure = await self._carry_out(target, decision, kept)
        if isinstance(failure, Conflict):
            kept.memory = memory
            return AGAIN_SECONDS
        if failure is not None:
            decision = replace(decision, memory=memory)
        kept.memory = decision.memory
        self._metrics.decided(decision.settled_by.value)
        conditions = telling.decided(group, decision, silence)
        if failure is not None:
            words = f"the group could not be scaled: {failure}"
            conditions[0] = replace(
                conditions[0], status=False, reason=Reason.FAILED_UPDATE_SCALE, message=words
            )
        scaled = failure is None and decision.replicas != group.replicas and not spec.dry_run
        told = telling.status(scaler, conditions, now, group, decision, scaled)
        await self._write(scaler, kept, told)
        return decision.again

    async def _carry_out(self, target: Target, decision: Decision, kept: _Kept) -> ApiError | None:
        """Write the number. A dry run says what it would do, in the status only."""
        scaler, group = target.scaler, target.group
        assert scaler.spec is not None
        if decision.replicas == group.replicas or scaler.spec.dry_run:
            return None
        try:
            version = await self._kube.scale(group.namespace, group.name, decision.replicas, group.version)
        except Conflict as error:
            return error  # somebody was quicker, perhaps with a number: it is seen before the next decision
        except ApiError as error:
            await self._tell(scaler, "FailedRescale", f"{group.name}: {error}", warning=True)
            return error
        self._metrics.scaled(group.replicas, decision.replicas)
        kept.scaled = replace(group, replicas=decision.replicas, version=version, set_by_us=True)
        wish = "nobody knows how many are" if decision.wish is None else f"{decision.wish} are"
        words = f"{group.name} from {group.replicas} to {decision.replicas} workers; {wish} needed"
        await self._tell(scaler, "SuccessfulRescale", words)
        return None

    async def _noticed(self, target: Target, kept: _Kept) -> Memory:
        """The memory, after a word about a number that somebody else has set."""
        scaler, group, memory = target.scaler, target.group, kept.memory
        assert scaler.spec is not None
        if memory.asked in (None, group.replicas) or scaler.spec.dry_run:
            return memory
        if group.set_by_us:  # in an earlier life, which ended before it could write that down
            return replace(memory, asked=group.replicas)
        words = (
            f"somebody set {group.name} from {memory.asked} to {group.replicas} workers; this autoscaler goes on "
            "deciding their number. To keep a number, set spec.suspend or delete the autoscaler"
        )
        await self._tell(scaler, "ScaledByOthers", words, warning=True)
        return replace(memory, asked=group.replicas)

    def _as_scaled(self, target: Target) -> Group:
        """The group, with the number that was just written where the watch does not have it yet."""
        scaled, group = self._keep(target.scaler).scaled, target.group
        if scaled is None or scaled.uid != group.uid or not _is_older(group, scaled):
            return group
        return replace(group, replicas=scaled.replicas, version=scaled.version, set_by_us=True)

    def _as_it_stands(self, target: Target) -> Target | None:
        """The target after the scheduler was asked, which takes its time; None if there is nothing to scale now."""
        scaler, group = target.scaler, target.group
        now = self._store.autoscalers.get(scaler.namespace, scaler.name)
        held = self._store.groups.get(group.namespace, group.name)
        if now is None or held is None or (now.uid, held.uid) != (scaler.uid, group.uid):
            return None
        if now.deleting or now.spec != scaler.spec:
            return None  # the edit has had another visit planned
        return replace(target, group=self._as_scaled(replace(target, group=held)))

    def _keep(self, scaler: Autoscaler) -> _Kept:
        if scaler.uid not in self._kept:
            stored = telling.memory_in(scaler.status)
            self._kept[scaler.uid] = _Kept(stored.resumed(self._wall()), stored, written=scaler.status)
        return self._kept[scaler.uid]

    async def _refuse(self, refusal: Refusal) -> None:
        self._metrics.decided(refusal.reason.value)
        conditions = telling.unable(refusal.reason, refusal.message)
        if refusal.reason is Reason.SUSPENDED:
            conditions = telling.suspended()
        told = telling.status(refusal.scaler, conditions, self._wall())
        await self._write(refusal.scaler, self._keep(refusal.scaler), told)

    async def _write(self, scaler: Autoscaler, kept: _Kept, told: Manifest) -> None:
        """Write the status if it says something new."""
        now = self._wall()
        if _without_memory(told) == _without_memory(kept.written):
            urgent = kept.memory.rose_since(kept.stored)
            due = kept.memory.says_more_than(kept.stored) and now - kept.stored_at >= MEMORY_SECONDS
            if not urgent and not due:
                return
        try:
            await self._kube.write_status(scaler.namespace, scaler.name, scaler.uid, told)
        except (NotFound, Conflict):
            return  # it is gone, or another one by now
        except ApiError as error:
            logger.warning("status not written: %s", error)
            return
        kept.written, kept.stored, kept.stored_at = told, kept.memory, now

    async def _tell(self, scaler: Autoscaler, reason: str, message: str, warning: bool = False) -> None:
        logger.info("%s: %s", reason, message)
        body = event(scaler, reason, message, self._wall(), self._identity, warning)
        try:
            await self._kube.tell(scaler.namespace, body)
        except ApiError as error:
            logger.warning("Event not written: %s", error)


@contextmanager
def _pass_over(scaler: Autoscaler) -> Iterator[None]:
    """What is logged in the block is about that autoscaler."""
    with passes.over(f"{Kind.AUTOSCALER} {scaler.namespace}/{scaler.name}"):
        passes.found(scaler.generation)
        yield


def _is_older(group: Group, other: Group) -> bool:
    """Whether what is known of a group is older than ``other``, which is the same group."""
    versions = (group.version, other.version)
    return all(version.isdigit() for version in versions) and int(group.version) < int(other.version)


def _without_memory(told: Manifest) -> Manifest:
    return {key: value for key, value in told.items() if key != "memory"}


def _threads(group: str, rows: Sequence[Row] | None) -> int | None:
    """Threads of one of the group's Pods; None where nobody has looked."""
    own = [row for row in rows or () if group_of(row.name) == group]
    if not own:
        return None
    return max(1, sum(row.threads for row in own) // count_of(group, [row.name for row in own]))
