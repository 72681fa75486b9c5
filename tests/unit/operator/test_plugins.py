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
KEEPER = """
import kopf

@kopf.on.delete("configmaps")
@kopf.daemon("pods")
@kopf.on.startup()
def clean_up(**_):
    pass
"""
WIDE = """
import kopf

@kopf.on.event("policy", "v1", "poddisruptionbudgets")
@kopf.on.event("pdb")
def seen(**_):
    pass
"""
CURIOUS = """
import kopf

@kopf.on.event(kopf.EVERYTHING)
def seen(**_):
    pass
"""
BAD = "import a_module_that_nobody_has"
HALF = f"{GOOD}\n{BAD}"
SHARING = "import plugin_good"
BROKEN_SHARING = f"import plugin_good\n{BAD}"
QUITTER = f"{GOOD}\nraise SystemExit('not here')"
MODULES = {
    "good": GOOD,
    "other": OTHER,
    "keeper": KEEPER,
    "wide": WIDE,
    "curious": CURIOUS,
    "bad": BAD,
    "half": HALF,
    "sharing": SHARING,
    "alas": BROKEN_SHARING,
    "quitter": QUITTER,
}


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[kopf.OperatorRegistry]:
    """An empty registry as kopf's default one, and modules that may be plugins."""
    fresh = kopf.OperatorRegistry()
    before = kopf.get_default_registry()
    kopf.set_default_registry(fresh)
    for name, text in MODULES.items():
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


def test_a_plugin_is_warned_of_the_finalizers_that_kopf_will_set_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, "keeper", "good")
    plugins.load(must_load=False, unlabelled=())
    assert "plugin keeper has kopf put a finalizer on configmaps, pods" in caplog.text
    assert "plugin good has kopf put" not in caplog.text


@pytest.mark.parametrize(
    ("plugin", "narrowed"),
    [
        ("wide", ["poddisruptionbudgets"]),
        ("curious", ["poddisruptionbudgets", "pods", "services"]),
        ("other", []),
    ],
)
def test_whatever_a_plugin_calls_its_objects_it_is_warned_of_those_it_will_not_see(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, plugin: str, narrowed: list[str]
) -> None:
    install(monkeypatch, plugin)
    plugins.load(must_load=False, unlabelled=())
    warned = [r.getMessage().partition("sees only those ")[2] for r in caplog.records if "sees" in r.msg]
    assert [text.split()[0] for text in warned] == narrowed
    remedies = {text.split()[0] for text in warned if "operator.plugins.unlabelled" in text}
    assert remedies == {"pods", "services"} & {*narrowed}


@pytest.mark.parametrize("broken", ["bad", "half", "quitter"])
def test_a_broken_plugin_is_named_does_nothing_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    registry: kopf.OperatorRegistry,
    broken: str,
) -> None:
    install(monkeypatch, broken)
    assert plugins.load(must_load=False, unlabelled=()) == []
    assert f"plugin {broken} (plugin_{broken}) cannot be imported" in caplog.text
    assert not plugins.have_handlers(registry)
    install(monkeypatch, broken, "other")
    assert plugins.load(must_load=False, unlabelled=()) == ["other"]


def test_a_module_that_a_broken_plugin_shares_with_another_one_is_there_for_that(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, "alas", "sharing")
    with caplog.at_level(logging.INFO):
        assert plugins.load(must_load=False, unlabelled=()) == ["sharing"]
    assert "plugin sharing (plugin_sharing): handles service (handle_scheduler_service_create)" in caplog.text


@pytest.mark.parametrize(("broken", "why"), [("bad", "a_module_that_nobody_has"), ("quitter", "not here")])
def test_a_broken_plugin_stops_the_operator_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, broken: str, why: str
) -> None:
    install(monkeypatch, broken, "good")
    with pytest.raises(plugins.PluginFailed, match=rf"plugin {broken} .*{why}"):
        plugins.load(must_load=True, unlabelled=())
