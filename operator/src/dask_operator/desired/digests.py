"""Digests of what the user wrote: what counts as a change."""

import hashlib
import json

from dask_operator_api.manifests import Manifest

from dask_operator.observed.pods import dask_container


def digest(**written: object) -> str:
    """A short digest of what the user wrote, by the name of each part.

    Equal for equal JSON, whatever the order of keys. Parts that are empty do not count, so that a field which a
    later version of the API adds changes no digest of an object that does not use it.
    """
    used = {name: value for name, value in written.items() if value}
    text = json.dumps(used, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def image_written(template: Manifest, component: str, *images: str | None) -> str:
    """The image that the user wrote for the Dask container, outside its template: the first of ``images`` that is set.

    Empty where the template names one itself: then no other matters.
    """
    if dask_container(template, component).get("image"):
        return ""
    return next((image for image in images if image), "")
