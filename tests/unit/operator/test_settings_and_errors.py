"""Settings from the environment, and what the API server's answers mean."""

import json

import pytest
from dask_operator.api_server.answers import checked, object_in
from dask_operator.errors import Conflict, NotFound, Refused, TryAgain, Uncertain
from dask_operator.settings import PREFIX, Settings
from dask_operator_api.environment import SettingsError
from hypothesis import given, settings
from hypothesis import strategies as st

NUMBERS = (
    "HTTP_PORT",
    "RESYNC_SECONDS",
    "CONCURRENCY",
    "CONCURRENCY_PER_CLUSTER",
    "PARALLEL_CREATES",
    "CONNECTIONS",
    "SCHEDULER_CONNECTIONS",
)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({f"{PREFIX}{name}": "" for name in NUMBERS}) == Settings()


@settings(max_examples=100)
@given(
    st.sampled_from((*NUMBERS, "LOG_LEVEL", "LOG_FORMAT")),
    st.text(max_size=6) | st.sampled_from(["inf", "nan", "-1"]),
)
def test_a_value_is_used_or_refused_with_the_name_of_its_variable(name: str, value: str) -> None:
    assert PREFIX + name in _problem({PREFIX + name: value}, otherwise=PREFIX + name)


def test_pull_secrets_are_a_list_of_names() -> None:
    found = Settings.from_environment({"DASK_OPERATOR_DEFAULT_PULL_SECRETS": "two, one,"})
    assert found.default_pull_secrets == ("one", "two")


def _problem(environment: dict[str, str], otherwise: str) -> str:
    try:
        Settings.from_environment(environment)
    except SettingsError as error:
        return str(error)
    return otherwise


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0", "many"])
def test_a_number_that_cannot_be_used_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="DASK_OPERATOR_CONCURRENCY"):
        Settings.from_environment({"DASK_OPERATOR_CONCURRENCY": value})


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("verb", "code", "kind"),
    [
        ("POST", 409, Conflict),
        ("GET", 404, NotFound),
        ("POST", 422, Refused),
        ("POST", 403, Refused),
        ("POST", 400, Refused),
        ("GET", 401, TryAgain),
        ("POST", 429, TryAgain),
        ("GET", 410, TryAgain),
        ("GET", 500, TryAgain),
        ("POST", 503, TryAgain),
        ("POST", 500, Uncertain),
        ("POST", 504, Uncertain),
    ],
)
def test_every_status_of_the_api_server_has_one_meaning(verb: str, code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="its own words") as caught:
        checked(verb, code, {}, status("its own words"))
    assert type(caught.value) is kind


def test_the_servers_own_pause_is_kept_whatever_the_case_of_its_header() -> None:
    with pytest.raises(TryAgain) as caught:
        checked("POST", 429, {"RETRY-After": "7"}, status("slow down"))
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    "text", [b"<html>bad gateway</html>", b"", b"[]", b'"x"', b"\xff", b'{"message": null}']
)
def test_an_error_without_a_message_still_tells_its_status(text: bytes) -> None:
    with pytest.raises(TryAgain, match="503"):
        checked("POST", 503, {}, text)


def test_an_answer_that_is_cut_off_leaves_the_outcome_uncertain() -> None:
    with pytest.raises(Uncertain):
        object_in(b'{"kind": "Po')


@pytest.mark.parametrize(
    ("code", "message", "quota"),
    [
        (403, "exceeded quota: pods", True),
        (403, "pods is forbidden", False),
        (422, "quota: Invalid value", False),
    ],
)
def test_only_a_quota_is_a_quota(code: int, message: str, quota: bool) -> None:
    assert Refused(message, code).is_quota is quota
