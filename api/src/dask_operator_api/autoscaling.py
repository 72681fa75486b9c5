"""What a user writes into a DaskAutoscaler, as frozen values.

``behavior`` has the shape and the words of a HorizontalPodAutoscaler's (autoscaling/v2), and means the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dask_operator_api import names
from dask_operator_api.manifests import items, section

DEFAULT_INTERVAL_SECONDS = 5.0
DEFAULT_TARGET_DURATION_SECONDS = 5.0
LONGEST_WINDOW_SECONDS = 3600.0


class PolicyType(StrEnum):
    """What the ``value`` of a policy counts."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies holds."""

    MAX = "Max"
    """The one that allows the greatest change."""
    MIN = "Min"
    """The one that allows the smallest change."""
    DISABLED = "Disabled"
    """No change in this direction at all."""


@dataclass(frozen=True)
class Policy:
    """At most ``value`` workers, or per cent of the workers there were, within each ``period`` (seconds)."""

    type: PolicyType
    value: int
    period: float


@dataclass(frozen=True)
class Rules:
    """How a number of workers may change in one direction."""

    window: float | None = None
    """Seconds that a wish must have stood before it is followed; None: the autoscaler's own choice."""
    policies: tuple[Policy, ...] = ()
    """Without any, a change of any size is allowed."""
    select: SelectPolicy = SelectPolicy.MAX
    tolerance: float | None = None
    """A change by at most this fraction of the workers there are is not made; None: the autoscaler's own choice."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Rules":
        """Read ``behavior.scaleUp`` or ``behavior.scaleDown``."""
        window = body.get("stabilizationWindowSeconds")
        return cls(
            window=None if window is None else min(float(window), LONGEST_WINDOW_SECONDS),
            policies=tuple(_policy(item) for item in items(body, "policies")),
            select=SelectPolicy(body.get("selectPolicy") or SelectPolicy.MAX),
            tolerance=_quantity(body.get("tolerance")),
        )


@dataclass(frozen=True)
class AutoscalerSpec:
    """``spec`` of a DaskAutoscaler."""

    cluster: str
    minimum: int
    maximum: int
    worker_group: str = ""
    """The group whose workers are counted; empty: the default group."""
    scale_up: Rules = field(default_factory=Rules)
    scale_down: Rules = field(default_factory=Rules)
    interval: float = DEFAULT_INTERVAL_SECONDS
    """Seconds between two looks at the scheduler."""
    target_duration: float = DEFAULT_TARGET_DURATION_SECONDS
    """Seconds that the work at hand should take: more is asked for if it would take longer."""
    suspend: bool = False
    dry_run: bool = False

    @property
    def group(self) -> str:
        """The name of the DaskWorkerGroup that is scaled."""
        return self.worker_group or names.default_group_name(self.cluster)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "AutoscalerSpec":
        """Read a DaskAutoscaler's ``spec``.

        Raises:
            ValueError: a value that the CRD would have refused; the message says which.
        """
        behavior = section(body, "behavior")
        return cls(
            cluster=str(body.get("cluster") or ""),
            minimum=max(0, int(body.get("minimum") or 0)),
            maximum=max(0, int(body.get("maximum") or 0)),
            worker_group=str(body.get("workerGroup") or ""),
            scale_up=Rules.parse(section(behavior, "scaleUp")),
            scale_down=Rules.parse(section(behavior, "scaleDown")),
            interval=_seconds(body.get("interval"), DEFAULT_INTERVAL_SECONDS),
            target_duration=_seconds(body.get("targetDuration"), DEFAULT_TARGET_DURATION_SECONDS),
            suspend=bool(body.get("suspend")),
            dry_run=bool(body.get("dryRun")),
        )


def _policy(body: Mapping[str, Any]) -> Policy:
    return Policy(
        PolicyType(str(body.get("type"))), int(body.get("value") or 0), float(body.get("periodSeconds") or 0)
    )


def _seconds(value: object, default: float) -> float:
    """A number of seconds that is not given or not positive is the default."""
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if number > 0 else default


def _quantity(value: object) -> float | None:
    """A number, or a Kubernetes quantity such as ``100m``; None for none."""
    if isinstance(value, str) and value.endswith("m"):
        return float(value[:-1]) / 1000
    return float(value) if isinstance(value, int | float | str) and value != "" else None
