"""Plugins: modules whose kopf handlers run beside the operator's own watches.

A plugin is a Python module that an installed package names in the entry point group ``dask_operator_plugin``. Its
import registers its handlers, with kopf's decorators, in kopf's default registry.
"""

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import kopf

from dask_operator.watching.handlers import BY_LABEL_NAMES

logger = logging.getLogger(__name__)

GROUP = "dask_operator_plugin"

ANYTHING = "anything"
"""What a handler is for that names no resource."""

WIDENED = ("pods", "services")
"""The kinds that an install can have watched whole."""


class PluginFailed(Exception):
    """A plugin cannot be imported, and the operator was told not to run without: which, and why."""


def load(
    must_load: bool, unlabelled: Iterable[str], registry: kopf.OperatorRegistry | None = None
) -> list[str]:
    """Import all plugins, and log what each of them handles; gives the names of those that are there.

    Args:
        must_load: whether one that fails is an error. Otherwise it is logged, and the others are imported.
        unlabelled: the kinds that are watched without the operator's label selector.
        registry: where their handlers register; kopf's default registry unless given.

    Raises:
        PluginFailed: with ``must_load``, one cannot be imported.
    """
    registry = registry or kopf.get_default_registry()
    loaded = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        before = _handlers(registry)
        try:
            point.load()
        except (Exception, SystemExit) as error:
            text = f"plugin {_named(point)} cannot be imported: {type(error).__name__}: {error}"
            if must_load:
                raise PluginFailed(text) from error
            _take_back(registry, before)
            logger.exception("%s; the operator runs without it", text)
            continue
        _introduce(point, _added(registry, before), unlabelled)
        loaded.append(point.name)
    return loaded


def have_handlers(registry: kopf.OperatorRegistry) -> bool:
    """Whether anything is handled yet: before the operator's own handlers are there, that is by plugins."""
    return any(_resources(handler) for held in _handlers(registry).values() for handler in held)


def _named(point: EntryPoint) -> str:
    package = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
    return f"{point.name} ({point.value}{package})"


def _handlers(registry: kopf.OperatorRegistry) -> dict[str, list[Any]]:
    """The handlers in each part of a registry."""
    return {name: list(getattr(part, "_handlers", ())) for name, part in vars(registry).items()}


def _added(registry: kopf.OperatorRegistry, before: Mapping[str, list[Any]]) -> list[Any]:
    """The handlers that were registered since."""
    return [new for name, held in _handlers(registry).items() for new in held[len(before[name]) :]]


def _take_back(registry: kopf.OperatorRegistry, before: Mapping[str, list[Any]]) -> None:
    """Have no handlers but those of before: one half of a plugin must not run without the other.

    Another plugin that shares a module with it imports that anew, and has the handlers registered again.
    """
    for handler in _added(registry, before):
        sys.modules.pop(getattr(handler.fn, "__module__", ""), None)
    for name, part in vars(registry).items():
        if hasattr(part, "_handlers"):
            part._handlers[:] = before[name]


def _resources(handler: Any) -> str:
    """What a handler is for, as its decorator names it; empty where that is no resource."""
    selector = getattr(handler, "selector", None)
    if selector is None:
        return ""
    group = getattr(selector, "group", None)
    return f"{_name(selector)}.{group}" if group else _name(selector)


def _name(selector: object) -> str:
    """How a decorator names its resources."""
    named = getattr(selector, "any_name", None)
    if named is kopf.EVERYTHING:
        return ANYTHING
    parts = ("plural", "singular", "kind", "shortcut", "category")
    return str(named or next((value for part in parts if (value := getattr(selector, part, None))), ANYTHING))


def _introduce(point: EntryPoint, new: Sequence[Any], unlabelled: Iterable[str]) -> None:
    """Log what a plugin does, and what it needs for that."""
    of = [(handler, resources) for handler in new if (resources := _resources(handler))]
    handled = sorted({f"{resources} ({handler.id})" for handler, resources in of})
    logger.info("plugin %s: handles %s", _named(point), ", ".join(handled) or "nothing")
    if of:
        logger.warning(
            "plugin %s needs the rights to list, watch and patch %s (operator.extraRules), and handlers that may be "
            "called again for the same thing",
            point.name,
            ", ".join(sorted({resources for _, resources in of})),
        )
    kept = sorted({resources for handler, resources in of if getattr(handler, "requires_finalizer", False)})
    if kept:
        logger.warning(
            "plugin %s has kopf put a finalizer on %s: none of them goes while no operator with this plugin runs",
            point.name,
            ", ".join(kept),
        )
    for plural in sorted(
        {plural for handler, _ in of for plural in _narrowed(handler.selector)} - {*unlabelled}
    ):
        logger.warning(
            "plugin %s sees only those %s that carry the operator's labels%s",
            point.name,
            plural,
            " (operator.plugins.unlabelled shows all)" if plural in WIDENED else "",
        )


def _narrowed(selector: object) -> Set[str]:
    """The kinds (plurals) among a handler's of which the API server sends those with the operator's labels only."""
    name = _name(selector)
    if name == ANYTHING or getattr(selector, "category", None):
        return {*BY_LABEL_NAMES.values()}
    return {BY_LABEL_NAMES[name.lower()]} if name.lower() in BY_LABEL_NAMES else set()
