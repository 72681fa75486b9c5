"""Names for clusters that nobody named."""

import getpass
import os
import re
import secrets
from collections.abc import Mapping

from dask_operator_api import names

TEMPLATE = "dask-{user}-{uuid}"
_RANDOM_BYTES = 5


def generated_name(user: str | None = None) -> str:
    """A new name for a cluster of ``user``, by default the one who runs this: ``dask-<user>-<random>``."""
    return filled_name(TEMPLATE, {"user": _user() if user is None else user})


def filled_name(template: str, variables: Mapping[str, str] | None = None) -> str:
    """A name from a template with ``{user}``, ``{uuid}`` and environment variables in braces.

    What is put in is made fit for a name, and cut where the name would be too long. A text without braces is kept.

    Raises:
        ValueError: there is no such variable.

    >>> filled_name("etl-{user}", {"user": "Ada.Lovelace"})
    'etl-ada-lovelace'
    """
    if "{" not in template:
        return template
    random = secrets.token_hex(_RANDOM_BYTES)
    values = {**os.environ, "user": (variables or {}).get("user") or _user(), "uuid": random}
    try:
        room = names.CLUSTER_NAME_MAX - len(
            template.format_map({**dict.fromkeys(values, ""), "uuid": random})
        )
        fitted = {key: _fit(value, room) for key, value in values.items()}
        filled = template.format_map({**fitted, "uuid": random})
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise ValueError(
            f"name: {template!r} cannot be filled in ({error}): use {{user}}, {{uuid}} or an environment variable"
        ) from None
    return re.sub(r"-{2,}", "-", filled)


def _fit(value: str, room: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", value.lower())[: max(room, 0)].strip("-")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user: usual in a Pod that runs under any uid
        return ""
