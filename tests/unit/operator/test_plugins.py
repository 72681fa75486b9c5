"""Plugins are imported with what they handle, and one that is broken is told by its name."""

import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import kopf
import pytest
from dask_operator.watching import plugins
from dask_operator.watching.handlers import configure

GOOD = """
import kopf

@kopf.on.create("service", labels={"dask.org/component": "scheduler"})
async def handle_scheduler_service_create(meta, new, namespace, logger, **kwargs):
    pass
"""
OTHER = """
import kopf

@kopf.on.event("gateways", group="example.com")
def seen(**_):
    pass
"""
BAD = "import a_module_that_nobody_has"


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[kopf.OperatorRegistry]:
    """An empty registry as kopf's default one, and three modules that may be plugins."""
    fresh = kopf.OperatorRegistry()
    before = kopf.get_default_registry()
    kopf.set_default_registry(fresh)
    for name, text in {"good": GOOD, "other": OTHER, "bad": BAD}.items():
        (tmp_path / f"plugin_{name}.py").write_text(text)
        sys.modules.pop(f"plugin_{name}", None)
    monkeypatch.syspath_prepend(tmp_path)
    yield fresh
    kopf.set_default_registry(before)


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    points = [EntryPoint(name, f"plugin_{name}", plugins.GROUP) for name in names]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == plugins.GROUP else [])


def test_handlers_of_a_plugin_are_registered_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, registry: kopf.OperatorRegistry
) -> None:
    install(monkeypatch, "other", "good")
    with caplog.at_level(logging.INFO):
        assert plugins.load(must_load=True, unlabelled=()) == ["good", "other"]
    assert "plugin good (plugin_good): handles service (handle_scheduler_service_create)" in caplog.text
    assert "plugin other needs the rights to list, watch and patch gateways.example.com" in caplog.text
    assert kopf.get_default_registry() is registry


@pytest.mark.parametrize(("unlabelled", "warned"), [((), True), (("services",), False)])
def test_a_plugin_is_warned_of_objects_that_it_will_not_see(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    unlabelled: tuple[str, ...],
    warned: bool,
) -> None:
    install(monkeypatch, "good")
    plugins.load(must_load=False, unlabelled=unlabelled)
    assert ("sees only those services that carry the operator's labels" in caplog.text) is warned
    settings = kopf.OperatorSettings()
    configure(settings, unlabelled)
    assert ("services" in settings.watching.label_selectors) is warned
    assert "pods" in settings.watching.label_selectors


def test_objects_are_compared_only_where_a_plugin_has_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = kopf.get_default_registry()
    pod = kopf.Body({"metadata": {"name": "p"}, "spec": {"nodeName": "n"}})
    for plugin, kept in ((None, {}), ("good", {"spec": {"nodeName": "n"}})):
        if plugin:
            install(monkeypatch, plugin)
            plugins.load(must_load=True, unlabelled=())
        settings = kopf.OperatorSettings()
        configure(settings, differences=plugins.have_handlers(registry))
        assert settings.persistence.diffbase_storage.build(body=pod) == kept


def test_a_broken_plugin_is_named_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, "bad", "good")
    assert plugins.load(must_load=False, unlabelled=()) == ["good"]
    assert "plugin bad (plugin_bad) cannot be imported" in caplog.text


def test_a_broken_plugin_stops_the_operator_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "bad", "good")
    with pytest.raises(plugins.PluginFailed, match=r"plugin bad .*a_module_that_nobody_has"):
        plugins.load(must_load=True, unlabelled=())
