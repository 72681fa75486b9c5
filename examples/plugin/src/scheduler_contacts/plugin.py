"""Puts the address of every Dask scheduler into a ConfigMap, for programs that can mount one but ask no API.

The ConfigMap is named after the scheduler's Service and goes with it.
"""

from http import HTTPStatus
from typing import Any

import kopf
from kubernetes.aio import client, config

PORT = 8786


# `resume` too: the operator may have been away, or without this plugin, when the Service was made. So this can be
# called for a Service whose ConfigMap is there already.
@kopf.on.resume("service", labels={"dask.org/component": "scheduler"})
@kopf.on.create("service", labels={"dask.org/component": "scheduler"})
async def publish_address(
    body: kopf.Body, name: str, namespace: str | None, logger: kopf.Logger, **_: Any
) -> None:
    """Make the ConfigMap of a scheduler's Service."""
    contact = {
        "metadata": {"name": f"{name}-address", "namespace": namespace},
        "data": {"DASK_SCHEDULER_ADDRESS": f"tcp://{name}.{namespace}.svc:{PORT}"},
    }
    kopf.append_owner_reference(contact, owner=body, block_owner_deletion=False)
    try:
        config.load_incluster_config()
        async with client.ApiClient() as api:
            await client.CoreV1Api(api).create_namespaced_config_map(namespace, contact)
    except client.ApiException as error:
        if error.status != HTTPStatus.CONFLICT:
            raise kopf.TemporaryError(f"the ConfigMap was not made: {error.reason}", delay=5) from error
    logger.info("the address of %s is in the ConfigMap %s-address", name, name)
