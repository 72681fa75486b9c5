"""How long objects rest after a pass."""

import pytest
from dask_operator.rests import CALM, LONGEST, LONGEST_ALONE, NOTES_MAX, SHORTEST, Rests
from dask_operator.store import Key
from dask_operator_api.kinds import Kind


def key(number: int = 0) -> Key:
    return Key(Kind.CLUSTER, "ns", str(number))


@pytest.mark.parametrize(("took", "rest"), [(0.001, SHORTEST), (0.06, 0.24), (5.0, LONGEST_ALONE)])
def test_while_little_happens_a_rest_is_short(took: float, rest: float) -> None:
    rests = Rests()
    rests.begin(key(), took, 10.0)
    assert rests.until(key(), 10.0) == pytest.approx(10.0 + rest)
    rests.end(key())
    assert rests.until(key(), 10.0) == 10.0


@pytest.mark.parametrize(
    ("passes", "rest"), [(CALM, SHORTEST), (3 * CALM, 3 * SHORTEST), (100 * CALM, LONGEST)]
)
def test_the_more_happens_the_longer_it_is_up_to_a_second(passes: int, rest: float) -> None:
    rests = Rests()
    for number in range(passes):
        rests.begin(key(number), 0.001, 10.0)
    assert rests.until(key(passes - 1), 10.0) == pytest.approx(10.0 + rest)


def test_what_happened_a_second_ago_does_not_count() -> None:
    rests = Rests()
    for number in range(10 * CALM):
        rests.begin(key(number), 0.001, 10.0)
    rests.begin(key(), 0.001, 11.0)
    assert rests.until(key(), 11.0) == pytest.approx(11.0 + SHORTEST)


def test_notes_of_rests_that_are_over_are_dropped() -> None:
    rests = Rests()
    for number in range(3 * NOTES_MAX):
        rests.begin(key(number), 0.001, 10.0 + number)
    assert len(rests._until) <= NOTES_MAX
