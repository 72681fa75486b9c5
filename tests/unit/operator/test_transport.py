"""The way to the API server."""

import pytest
from dask_operator.api_server.transport import proxy_to


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_calls_go_through_the_proxy_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert proxy_to("https://10.96.0.1:443") == "http://proxy.example:3128"


def test_a_server_that_needs_no_proxy_is_called_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.svc")
    assert proxy_to("https://10.96.0.1:443") is None


def test_without_a_word_about_proxies_there_is_none() -> None:
    assert proxy_to("https://10.96.0.1:443") is None
