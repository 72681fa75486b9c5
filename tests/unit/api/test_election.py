"""Who leads: decisions on records seen at some time of one's own clock."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from dask_operator.api_server.transport import UNACKNOWLEDGED_SECONDS
from dask_operator_api.election import (
    BLIND_SECONDS,
    LEASE_SECONDS,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Identity,
    Move,
    Record,
    Sighting,
    handed_over,
    held_by,
    move,
    sight,
)

ME = Identity.of("pod-a", "uid-a", "1")
OTHER = Identity.of("pod-b", "uid-b", "1")
NOW = "2026-01-02T03:04:05.000000Z"


def watched(record: Record, seconds: float) -> Sighting:
    """A record that was looked at every second for so long, and never changed."""
    seen = sight(None, record, 0.0)
    for second in range(1, int(seconds) + 1):
        seen = sight(seen, record, float(second))
    return sight(seen, record, seconds)


def test_a_lease_that_nobody_has_is_taken() -> None:
    assert move(ME, watched(Record("1"), 0)) is Move.TAKE


def test_a_lease_of_our_own_is_renewed() -> None:
    assert move(ME, watched(Record("1", ME.name), 0)) is Move.RENEW


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(0.0, Move.WAIT), (LEASE_SECONDS, Move.WAIT), (LEASE_SECONDS + 0.5, Move.TAKE)]
)
def test_a_lease_of_another_is_taken_after_it_was_seen_unchanged_for_its_time(
    seconds: float, wanted: Move
) -> None:
    assert move(ME, watched(Record("1", OTHER.name), seconds)) is wanted


def test_the_time_is_the_one_that_its_holder_asked_for() -> None:
    assert move(ME, watched(Record("1", OTHER.name, seconds=60.0), 40)) is Move.WAIT


def test_a_renewal_starts_the_time_anew() -> None:
    seen = watched(Record("1", OTHER.name), LEASE_SECONDS)
    renewed = sight(seen, Record("2", OTHER.name), LEASE_SECONDS + 1)
    assert move(ME, renewed) is Move.WAIT
    assert renewed.since == LEASE_SECONDS + 1


def test_who_could_not_look_does_not_blame_the_holder() -> None:
    seen = watched(Record("1", OTHER.name), 3)
    back = sight(seen, seen.record, 3 + 90.0)
    assert move(ME, back) is Move.WAIT
    assert back.since == 93.0
    assert BLIND_SECONDS > 4.0, "a look may take four seconds"


def test_the_lease_of_an_earlier_process_of_the_same_pod_is_taken_at_once() -> None:
    earlier = Identity.of("pod-a", "uid-a", "0")
    assert move(ME, watched(Record("1", earlier.name), 0)) is Move.TAKE


def test_a_pod_of_the_same_name_but_another_uid_is_another() -> None:
    namesake = Identity.of("pod-a", "uid-z", "0")
    assert move(ME, watched(Record("1", namesake.name), 0)) is Move.WAIT


def test_outside_a_pod_no_process_succeeds_another() -> None:
    first, second = Identity.of("laptop", "", "1"), Identity.of("laptop", "", "2")
    assert move(second, watched(Record("1", first.name), 0)) is Move.WAIT


def test_a_renewal_carries_notes_for_whoever_looks_at_the_lease() -> None:
    patch = held_by(ME, Record("7", ME.name), "now", {"left-out": "b: why", "other": None})
    assert patch["metadata"] == {"resourceVersion": "7", "annotations": {"left-out": "b: why", "other": None}}
    assert held_by(ME, Record("7", ME.name), "now")["metadata"] == {"resourceVersion": "7"}


def test_a_taken_lease_counts_a_transition_and_a_renewed_one_does_not() -> None:
    taken = held_by(ME, Record("7", OTHER.name, transitions=3), NOW)
    assert taken["metadata"] == {"resourceVersion": "7"}
    assert taken["spec"]["leaseTransitions"] == 4
    assert taken["spec"]["acquireTime"] == NOW
    assert "leaseTransitions" not in held_by(ME, Record("8", ME.name, transitions=4), NOW)["spec"]


def test_what_is_handed_over_can_be_taken_at_once() -> None:
    body = {"metadata": {"resourceVersion": "10"}, **handed_over(Record("9", ME.name), NOW)}
    body["metadata"] = {"resourceVersion": "10"}
    assert move(OTHER, sight(None, Record.parse(body), 0.0)) is Move.TAKE


def test_a_lease_as_the_chart_makes_it_can_be_read() -> None:
    assert Record.parse({"metadata": {"resourceVersion": "1"}}) == Record("1")


def test_nothing_that_was_sent_can_arrive_after_the_lease_may_be_taken() -> None:
    assert RENEW_SECONDS + UNACKNOWLEDGED_SECONDS < LEASE_SECONDS
    assert RETRY_SECONDS * 3 < RENEW_SECONDS


@dataclass
class Process:
    """A process in a simulation: it looks, decides, stands still at any moment, and goes on."""

    me: Identity
    seen: Any = None
    until: float = float("-inf")
    asleep_until: float = 0.0
    sent: tuple[float, Record] | None = None


@pytest.mark.parametrize("seed", range(20))
def test_no_two_fences_are_ever_open_at_the_same_time(seed: int) -> None:
    chance = random.Random(seed)
    record = Record("1")
    processes = [Process(Identity.of(f"pod-{n}", f"uid-{n}", "0")) for n in range(3)]
    led: set[str] = set()
    now = 0.0
    for _ in range(20_000):
        now += chance.uniform(0.0, 0.4)
        process = chance.choice(processes)
        if now < process.asleep_until:
            continue
        if chance.random() < 0.01:
            process.asleep_until = now + chance.uniform(1, 40)
            continue
        if process.sent is not None:  # the answer arrives, late perhaps
            sent, based_on = process.sent
            process.sent = None
            if record == based_on:
                record = Record(str(int(record.version) + 1), process.me.name, LEASE_SECONDS)
                process.until = sent + RENEW_SECONDS
                process.seen = sight(None, record, sent)
        elif chance.random() < 0.2:
            process.seen = sight(process.seen, record, now)
            if move(process.me, process.seen) is not Move.WAIT:
                assert held_by(process.me, record, "")["spec"]["holderIdentity"] == process.me.name
                process.sent = (now, record)
        open_now = [p.me.name for p in processes if p.until > now]
        led.update(open_now)
        assert len(open_now) <= 1, open_now
    assert len(led) == len(processes), "all of them have led at some time"
