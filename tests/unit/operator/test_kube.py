"""Deleting: what an answer of the API server means for the one object that is to go."""

from typing import Any, cast

import pytest
from dask_operator.errors import ApiError, Conflict, NotFound
from dask_operator.fence import Fence
from dask_operator.kube import Kube
from kubernetes.aio.client.api_client import ApiClient


class Scripted(Kube):
    """Gives the answers of a script, one for each call, and remembers the verbs."""

    def __init__(self, *answers: dict[str, Any] | ApiError) -> None:
        super().__init__(cast(ApiClient, None), Fence.always_open(), "test")
        self.verbs: list[str] = []
        self._answers = list(answers)

    async def _call(self, verb: str, *_: Any, **__: Any) -> dict[str, Any]:
        self.verbs.append(verb)
        answer = self._answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


async def _delete(kube: Kube) -> dict[str, Any] | None:
    return await kube.delete("Pod", "ns", "pod", "uid-1")


async def test_an_object_that_is_gone_already_is_deleted() -> None:
    assert await _delete(Scripted(NotFound("gone"))) is None


async def test_a_conflict_about_a_successor_of_the_same_name_means_that_the_object_is_gone() -> None:
    kube = Scripted(Conflict("precondition failed"), {"metadata": {"uid": "uid-2"}})
    assert await _delete(kube) is None
    assert await _delete(Scripted(Conflict("precondition failed"), NotFound("gone"))) is None
    assert kube.verbs == ["DELETE", "GET"]


async def test_a_conflict_about_an_object_that_is_still_there_is_no_success() -> None:
    with pytest.raises(Conflict, match="modified"):
        await _delete(Scripted(Conflict("the object has been modified"), {"metadata": {"uid": "uid-1"}}))
