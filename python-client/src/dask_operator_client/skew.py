"""Telling that two parts are of different releases, in one sentence. Pure."""

from collections.abc import Mapping

_PACKAGES = ("dask", "distributed")


def image_skew(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What to say about the versions of Python, dask and distributed here and in the scheduler's image.

    Patch releases of Python do not count. Empty where all is well, or unknown.

    >>> image_skew({"python": "3.11.2", "dask": "2026.8.0"}, {"python": "3.11.9", "dask": "2026.7.0"})
    'The image has dask 2026.7.0 and you have 2026.8.0: choose an image like your environment, or the other way round.'
    """
    found = []
    for package in ("python", *_PACKAGES):
        mine, its = here.get(package, ""), there.get(package, "")
        if package == "python":
            mine, its = _minor(mine), _minor(its)
        if mine and its and mine != its:
            found.append(f"{package} {its} and you have {mine}")
    if not found:
        return ""
    return f"The image has {', '.join(found)}: choose an image like your environment, or the other way round."


def operator_skew(client: str, operator: str) -> str:
    """What to say about the versions of this package and of the operator. One minor release either side is well.

    >>> operator_skew("0.3.0", "0.1.2")
    'This client is 0.3.0 and the operator 0.1.2: bring them within one minor release of each other.'
    >>> operator_skew("0.3.0", "0.2.9"), operator_skew("0.3.0", "")
    ('', '')
    """
    mine, its = _parts(client), _parts(operator)
    if mine is None or its is None or (mine[0] == its[0] and abs(mine[1] - its[1]) <= 1):
        return ""
    return f"This client is {client} and the operator {operator}: bring them within one minor release of each other."


def crd_skew(refusal: str) -> str:
    """What to say about a field that the API server does not know, from its words; empty where it is about none.

    >>> crd_skew('strict decoding error: unknown field "spec.idleTimeout"')
    'The custom resources of this Kubernetes cluster do not know spec.idleTimeout: they may be older than this client; \
an admin upgrades them with `helm upgrade`.'
    """
    _, found, rest = refusal.partition('unknown field "')
    field = rest.partition('"')[0]
    if not found:
        return ""
    return (
        f"The custom resources of this Kubernetes cluster do not know {field}: they may be older than this client; an "
        "admin upgrades them with `helm upgrade`."
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _parts(version: str) -> tuple[int, int] | None:
    words = version.split(".")
    return (
        (int(words[0]), int(words[1]))
        if len(words) > 1 and words[0].isdigit() and words[1].isdigit()
        else None
    )
