"""Defaults of keywords from Dask's configuration: ``kubernetes`` in YAML, ``DASK_KUBERNETES__...`` as variables."""

from pathlib import Path
from typing import Any

import dask.config
import yaml

_OTHER_KEYS = {"n_workers": "count.start", "jupyter": "scheduler-jupyter"}


def key_of(keyword: str) -> str:
    """The configuration key of a keyword.

    >>> key_of("idle_timeout"), key_of("n_workers")
    ('kubernetes.idle-timeout', 'kubernetes.count.start')
    """
    return "kubernetes." + _OTHER_KEYS.get(keyword, keyword.replace("_", "-"))


def configured(keyword: str) -> Any:
    """What the user's configuration says about a keyword; None where it says nothing.

    What is merely some package's default counts as nothing: another package may have defaults of its own under the
    same keys, among them one that has clusters deleted that it only connected to.
    """
    key = key_of(keyword)
    value = dask.config.get(key, default=None)
    if value in (None, {}, []):
        return None
    defaults = [dask.config.get(key, default=None, config=held) for held in dask.config.defaults]
    return None if value in defaults else value


def _register() -> None:
    path = Path(__file__).with_name("kubernetes.yaml")
    dask.config.ensure_file(source=str(path))
    dask.config.update_defaults(yaml.safe_load(path.read_text()))


_register()
