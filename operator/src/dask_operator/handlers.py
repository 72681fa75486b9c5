"""The only kopf decorators: they remember what happened and put keys on the queue. They write nothing."""

from typing import Any

import kopf
from dask_operator_api.kinds import GROUP, VERSION, Kind

from dask_operator.intake import SELECTOR, Intake


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up as a source of watch events and nothing else."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.inactivity_timeout = 70.0
    settings.watching.connect_timeout = 10.0
    settings.queueing.idle_timeout = 0.1
    settings.networking.enforce_retry_after = True
    settings.watching.label_selectors["pods"] = SELECTOR
    settings.watching.label_selectors["services"] = SELECTOR
    settings.watching.label_selectors["poddisruptionbudgets"] = SELECTOR


def gone_at(meta: dict[str, Any]) -> tuple[str, str, str, int]:
    """Namespace, name, uid and resourceVersion, from the metadata of an object that is gone."""
    version = str(meta.get("resourceVersion", ""))
    return (
        meta.get("namespace", ""),
        meta["name"],
        meta.get("uid", ""),
        int(version) if version.isdigit() else 0,
    )


def register(intake: Intake, registry: kopf.OperatorRegistry) -> None:
    """Watch the custom resources, and the Pods and Services of clusters."""

    def watch(kind: str, *resource: str) -> None:
        @kopf.on.event(*resource, registry=registry, id=f"saw-{kind}")
        async def saw(event: Any, **_: Any) -> None:
            body = dict(event["object"])
            body.setdefault("kind", kind)
            if event["type"] == "DELETED":
                intake.gone(kind, *gone_at(body["metadata"]))
            else:
                intake.saw(kind, body)

    watch(Kind.CLUSTER, GROUP, VERSION, Kind.CLUSTER.plural)
    watch(Kind.WORKER_GROUP, GROUP, VERSION, Kind.WORKER_GROUP.plural)
    watch(Kind.JOB, GROUP, VERSION, Kind.JOB.plural)
    watch(Kind.AUTOSCALER, GROUP, VERSION, Kind.AUTOSCALER.plural)
    watch("Pod", "v1", "pods")
    watch("Service", "v1", "services")
    watch("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")

    @kopf.on.login(registry=registry)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
