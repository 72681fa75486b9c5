"""Times as Kubernetes writes them."""

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as Kubernetes writes a time, to the second: ``2026-01-02T03:04:05Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp(text: str | None) -> float | None:
    """Seconds since the epoch of a Kubernetes time such as ``2026-01-02T03:04:05Z``; None for none."""
    return datetime.fromisoformat(text).timestamp() if text else None
