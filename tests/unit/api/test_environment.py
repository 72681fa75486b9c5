"""Settings from the environment: used as they are meant, or refused by name."""

import pytest
from dask_operator_api.environment import Environment, SettingsError
from dask_operator_api.times import rfc3339, timestamp
from hypothesis import given
from hypothesis import strategies as st


def env(**variables: str) -> Environment:
    return Environment({f"P_{name}": value for name, value in variables.items()}, "P_")


def test_what_is_not_set_or_empty_is_the_default() -> None:
    for given_ in (env(), env(A="")):
        assert given_.text("A", "x") == "x"
        assert given_.number("A", 2.5, 9) == 2.5
        assert given_.port("A", 80) == 80
        assert given_.names("A") == ()
        assert given_.choice("A", "x", ("x", "y")) == "x"
        assert given_.truth("A", True) is True
        assert given_.truth("A", False) is False


def test_what_is_set_is_read() -> None:
    assert env(A="0.5").number("A", 1, 0) == 0.5
    assert env(A="0.5").number("A", 1, 0.5) == 0.5
    assert env(A="65535").port("A", 80) == 65535
    assert env(A="b, a,,b").names("A") == ("a", "b")
    assert env(A="y").choice("A", "x", ("x", "y")) == "y"
    assert env(A="false").truth("A", True) is False


@pytest.mark.parametrize("value", ["0", "65536", "80.0", "1e3", "-80", "٨٠", "http"])
def test_no_other_number_is_a_port(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^P_A=.* is not the number of a port$"):
        env(A=value).port("A", 80)


@pytest.mark.parametrize(
    ("value", "why"),
    [("inf", "counted to"), ("nan", "counted to"), ("x", "not a number"), ("1", "less than 2")],
)
def test_no_other_text_is_a_number(value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"^P_A='{value}' .*{why}"):
        env(A=value).number("A", 5, 2)


def test_a_choice_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"^P_A='yes' is not one of true, false$"):
        env(A="yes").truth("A", True)


@given(st.integers(0, 4_000_000_000))
def test_a_time_that_is_written_is_read_as_the_same(seconds: int) -> None:
    assert timestamp(rfc3339(seconds + 0.9)) == seconds


def test_no_time_is_none() -> None:
    assert (timestamp(None), timestamp("")) == (None, None)
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
