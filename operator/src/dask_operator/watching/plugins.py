"""Plugins: modules whose kopf handlers run beside the operator's own watches.

A plugin is a Python module that an installed package names in the entry point group ``dask_operator_plugin``. Its
import registers its handlers, with kopf's decorators, in kopf's default registry.
"""

import logging
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

import kopf

from dask_operator.watching.handlers import BY_LABEL_NAMES

logger = logging.getLogger(__name__)

GROUP = "dask_operator_plugin"


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
        before = set(_handled(registry))
        try:
            point.load()
        except Exception as error:
            text = f"plugin {_named(point)} cannot be imported: {type(error).__name__}: {error}"
            if must_load:
                raise PluginFailed(text) from error
            logger.exception("%s; the operator runs without it", text)
            continue
        _introduce(point, sorted(set(_handled(registry)) - before), unlabelled)
        loaded.append(point.name)
    return loaded


def have_handlers(registry: kopf.OperatorRegistry) -> bool:
    """Whether anything is handled yet: before the operator's own handlers are there, that is by plugins."""
    return any(_handled(registry))


def _named(point: EntryPoint) -> str:
    package = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
    return f"{point.name} ({point.value}{package})"


def _handled(registry: kopf.OperatorRegistry) -> Iterator[tuple[str, str]]:
    """What the registry's handlers are for: a resource as the decorator names it, and the handler's id."""
    for part in vars(registry).values():
        for handler in getattr(part, "_handlers", ()):
            selector = getattr(handler, "selector", None)
            if selector is not None:
                yield _resource(selector), str(handler.id)


def _resource(selector: object) -> str:
    parts = ("any_name", "plural", "singular", "kind", "shortcut", "category")
    name = next((str(value) for part in parts if (value := getattr(selector, part, None))), "anything")
    group = getattr(selector, "group", None)
    return f"{name}.{group}" if group else name


def _introduce(point: EntryPoint, handled: list[tuple[str, str]], unlabelled: Iterable[str]) -> None:
    """Log what a plugin does, and what it needs for that."""
    listed = ", ".join(f"{resource} ({name})" for resource, name in handled)
    logger.info("plugin %s: %s", _named(point), f"handles {listed}" if listed else "has no handlers")
    resources = sorted({resource for resource, _ in handled})
    if resources:
        logger.warning(
            "plugin %s needs the rights to list, watch and patch %s (operator.extraRules), and handlers that may be "
            "called again for the same thing",
            point.name,
            ", ".join(resources),
        )
    for resource in resources:
        plural = BY_LABEL_NAMES.get(resource.lower())
        if plural is not None and plural not in unlabelled:
            logger.warning(
                "plugin %s sees only those %s that carry the operator's labels (operator.plugins.unlabelled shows all)",
                point.name,
                plural,
            )
