"""Creating, finding and comparing a DaskCluster, against an API server in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from dask_operator_api import labels
from dask_operator_api.kinds import Kind
from dask_operator_client import errors, heart, waiting
from dask_operator_client import session as session_module
from dask_operator_client.keywords import Keywords, Options
from dask_operator_client.kube import Kube
from dask_operator_client.login import Source
from dask_operator_client.modes import CreateMode
from dask_operator_client.session import Session

NOTHING = Keywords()
PATIENCE = 0.5


async def nothing() -> None:
    """Nothing happens."""


class FakeKube:
    """Objects by kind and name; ``after_get`` lets the world change between two looks."""

    namespace = "ns"
    in_pod = False
    source = Source("file", "here")

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str], dict[str, Any]] = {}
        self.after_get: Callable[[], None] = lambda: None
        self.before_create: Callable[[], Awaitable[None]] = nothing
        self.after_create: Callable[[], Awaitable[None]] = nothing
        self.before_delete: Callable[[], None] = lambda: None
        self.drains = True
        self.patched = asyncio.Event()
        self.closed = False

    def put(self, kind: Kind, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        self.objects[kind, name] = {
            "metadata": {"name": name, "uid": f"uid-{name}", **metadata},
            "spec": spec,
        }

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        if (kind, name) not in self.objects:
            raise errors.ClusterNotFound(name)
        found = self.objects[kind, name]
        self.after_get()
        return found

    async def create(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        await self.before_create()
        name = body["metadata"]["name"]
        if (kind, name) in self.objects:
            raise errors.ClusterExists(name)
        self.put(kind, name, body["spec"], annotations=body["metadata"].get("annotations", {}))
        await self.after_create()
        return self.objects[kind, name]

    async def patch(self, kind: Kind, namespace: str, name: str, body: dict[str, Any]) -> None:
        self.objects[kind, name]["spec"] |= body.get("spec", {})
        metadata = self.objects[kind, name]["metadata"]
        said = {**metadata.get("annotations", {}), **body.get("metadata", {}).get("annotations", {})}
        metadata["annotations"] = {key: value for key, value in said.items() if value is not None}
        self.patched.set()

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int) -> None:
        self.objects[kind, name]["spec"]["worker"]["replicas"] = replicas
        self.objects[kind, name]["status"] = {"replicas": replicas if self.drains else 1}

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> bool:
        self.before_delete()
        found = self.objects.get((kind, name))
        if found is None or (uid and found["metadata"]["uid"] != uid):
            return False
        del self.objects[kind, name]
        return True

    async def all_of(self, kind: Kind, namespace: str | None) -> list[dict[str, Any]]:
        return [body for (held, _), body in self.objects.items() if held is kind]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def session(kube: FakeKube) -> Session:
    return Session(cast(Kube, kube), "c", "ns")


async def find(
    session: Session, keywords: Keywords = NOTHING, mode: str = "create-or-connect", **more: Any
) -> None:
    options = Options(create_mode=CreateMode(mode), resource_timeout=PATIENCE, **more)
    await session.find_or_create(keywords, options)


async def test_a_cluster_that_is_not_there_is_created_and_is_ours(session: Session, kube: FakeKube) -> None:
    await find(session, Keywords({"n_workers": 2}))
    assert kube.objects[Kind.CLUSTER, "c"]["spec"] == {"worker": {"replicas": 2}}
    assert (session.created, session.uid) == (True, "uid-c")


async def test_a_cluster_that_is_there_is_used_and_is_not_ours(session: Session, kube: FakeKube) -> None:
    kube.put(Kind.CLUSTER, "c", {"worker": {"replicas": 2}})
    await find(session, Keywords({"n_workers": 2}))
    assert (session.created, session.uid) == (False, "uid-c")


async def test_a_cluster_that_differs_is_refused_by_the_keywords_and_stays(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {"worker": {"replicas": 2}})
    with pytest.raises(errors.ClusterDiffers, match="n_workers: asked for 3, it has 2") as caught:
        await find(session, Keywords({"n_workers": 3}))
    assert caught.value.keywords == ("n_workers",)
    assert (Kind.CLUSTER, "c") in kube.objects


async def test_only_creating_refuses_a_cluster_that_is_there(session: Session, kube: FakeKube) -> None:
    kube.put(Kind.CLUSTER, "c", {})
    with pytest.raises(errors.ClusterExists):
        await find(session, mode="create-only")


async def test_only_connecting_never_creates(session: Session, kube: FakeKube) -> None:
    with pytest.raises(errors.ClusterNotFound, match="there is no DaskCluster c in the namespace ns"):
        await find(session, mode="connect-only")
    assert kube.objects == {}


async def test_a_cluster_that_is_being_deleted_is_waited_out_and_then_created(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {}, uid="old", deletionTimestamp="now")
    kube.after_get = kube.objects.clear
    await find(session)
    assert (session.created, session.uid) == (True, "uid-c")


async def test_a_cluster_that_is_being_deleted_for_too_long_is_an_error(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {}, deletionTimestamp="now")
    with pytest.raises(errors.WaitTimeout, match="has not gone"):
        await find(session)


async def test_another_cluster_of_the_same_name_is_not_the_one_waited_for(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "interval", lambda elapsed: 0.01)
    await find(session)
    kube.put(Kind.CLUSTER, "c", {}, uid="somebody else's")
    with pytest.raises(errors.ClusterGone):
        await session.until_ready(lambda line: None, PATIENCE)


async def test_ending_deletes_only_the_very_cluster_that_was_used(session: Session, kube: FakeKube) -> None:
    await find(session)
    kube.put(Kind.CLUSTER, "c", {}, uid="somebody else's")
    await session.end(delete=True)
    assert (Kind.CLUSTER, "c") in kube.objects
    assert kube.closed


@pytest.mark.parametrize("delete", [True, False])
async def test_ending_deletes_if_and_only_if_told_to(session: Session, kube: FakeKube, delete: bool) -> None:
    await find(session)
    await session.end(delete)
    assert ((Kind.CLUSTER, "c") in kube.objects) is not delete
    assert kube.closed


async def test_ending_tries_again_while_the_api_server_cannot_answer(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "RETRY_SECONDS", 0.01)
    failures = iter([errors.KubernetesUnavailable("not now"), errors.AnswerLost("no answer")])

    def fail_twice() -> None:
        for error in failures:
            raise error

    kube.before_delete = fail_twice
    await find(session)
    await session.end(delete=True)
    assert (Kind.CLUSTER, "c") not in kube.objects


async def test_ending_gives_up_in_the_end_and_says_how_to_delete_the_cluster(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(session_module, "LAST_CALL_SECONDS", 0.05)

    def fail() -> None:
        raise errors.KubernetesUnavailable("not now")

    kube.before_delete = fail
    await find(session)
    with pytest.raises(errors.KubernetesUnavailable, match="not now") as caught:
        await session.end(delete=True)
    assert "kubectl delete daskcluster c --namespace ns --context here" in caught.value.__notes__[0]
    assert kube.closed


async def test_ending_does_not_try_again_what_was_refused(session: Session, kube: FakeKube) -> None:
    tries = []

    def refuse() -> None:
        tries.append(1)
        raise errors.RequestRefused("you may not", 403)

    kube.before_delete = refuse
    await find(session)
    with pytest.raises(errors.RequestRefused):
        await session.end(delete=True)
    assert len(tries) == 1


async def test_a_group_of_another_cluster_is_neither_scaled_nor_deleted(
    session: Session, kube: FakeKube
) -> None:
    """The default group of a cluster ``c-d`` is called like a group ``d-default`` of cluster ``c``."""
    kube.put(Kind.WORKER_GROUP, "c-d-default", {"cluster": "c-d", "worker": {"replicas": 1}})
    with pytest.raises(errors.ClusterNotFound, match="belongs to cluster c-d"):
        await session.scale("c-d-default", 0)
    with pytest.raises(errors.ClusterNotFound, match="belongs to cluster c-d"):
        await session.delete_group("c-d-default", None)
    assert kube.objects[Kind.WORKER_GROUP, "c-d-default"]["spec"]["worker"]["replicas"] == 1


async def test_a_group_is_added_scaled_and_deleted(session: Session, kube: FakeKube) -> None:
    kube.put(Kind.CLUSTER, "c", {"worker": {"replicas": 7, "image": "i"}})
    await session.add_group("c-big", Keywords({"n_workers": 1}))
    await session.scale("c-big", 5)
    worker = {"replicas": 5, "image": "i"}
    assert kube.objects[Kind.WORKER_GROUP, "c-big"]["spec"] == {"cluster": "c", "worker": worker}
    await session.delete_group("c-big", PATIENCE)
    assert (Kind.WORKER_GROUP, "c-big") not in kube.objects


async def test_a_group_whose_workers_cannot_go_stays_unless_that_is_said_to_be_well(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.WORKER_GROUP, "c-big", {"cluster": "c", "worker": {"replicas": 1}})
    kube.drains = False
    with pytest.raises(errors.WaitTimeout, match=r"still has 1 workers.*drain=False"):
        await session.delete_group("c-big", PATIENCE)
    assert (Kind.WORKER_GROUP, "c-big") in kube.objects
    await session.delete_group("c-big", None)
    assert (Kind.WORKER_GROUP, "c-big") not in kube.objects


async def lose_the_answer() -> None:
    raise errors.AnswerLost("no answer")


async def test_a_cluster_whose_answer_was_lost_is_recognised_and_is_ours(
    session: Session, kube: FakeKube
) -> None:
    kube.after_create = lose_the_answer
    await find(session, mode="create-only")
    assert (session.created, session.uid) == (True, "uid-c")


def refuse_all_but_the_first(kube: FakeKube) -> None:
    """A quota leaves room for one cluster."""
    first = True

    async def quota() -> None:
        nonlocal first
        if not first:
            raise errors.RequestRefused("exceeded quota", 403)
        first = False

    kube.before_create = quota


async def test_a_cluster_whose_answer_was_lost_is_recognised_where_there_may_be_no_second(
    session: Session, kube: FakeKube
) -> None:
    refuse_all_but_the_first(kube)
    kube.after_create = lose_the_answer
    await find(session)
    assert (session.created, session.uid) == (True, "uid-c")


async def test_a_cluster_that_comes_to_be_after_a_second_was_refused_is_still_ours_to_delete(
    session: Session, kube: FakeKube
) -> None:
    late: dict[tuple[Kind, str], dict[str, Any]] = {}

    async def lose_the_answer_and_create_later() -> None:
        late.update(kube.objects)
        kube.objects.clear()
        raise errors.AnswerLost("no answer")

    refuse_all_but_the_first(kube)
    kube.after_create = lose_the_answer_and_create_later
    with pytest.raises(errors.RequestRefused, match="exceeded quota"):
        await find(session)
    kube.objects.update(late)
    assert session.created
    assert await session.end(delete=True)
    assert kube.objects == {}


async def test_a_cluster_that_may_have_been_created_is_deleted_when_its_maker_gives_up(
    session: Session, kube: FakeKube
) -> None:
    stuck = asyncio.Event()

    async def never_answer() -> None:
        stuck.set()
        await asyncio.Event().wait()

    kube.after_create = never_answer
    finding = asyncio.create_task(find(session))
    await stuck.wait()
    finding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finding
    assert session.created
    assert (Kind.CLUSTER, "c") in kube.objects
    await session.end(delete=True)
    assert (Kind.CLUSTER, "c") not in kube.objects


async def test_a_request_to_create_that_is_under_way_is_waited_for_before_the_cluster_is_deleted(
    session: Session, kube: FakeKube
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def answer_late() -> None:
        asked.set()
        await answer.wait()

    kube.before_create = answer_late
    finding = asyncio.create_task(find(session))
    await asked.wait()
    finding.cancel()
    ending = asyncio.create_task(session.end(delete=True))
    await asyncio.wait({ending}, timeout=0.05)
    answer.set()
    assert await ending
    assert kube.objects == {}
    assert finding.cancelled()


@pytest.mark.parametrize("lost", [True, False])
async def test_ending_says_if_a_cluster_may_yet_come_to_be(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    monkeypatch.setattr(session_module, "LAST_POST_SECONDS", 0.05)
    asked = asyncio.Event()

    async def do_not_answer() -> None:
        asked.set()
        if lost:
            raise errors.AnswerLost("no answer")
        await asyncio.Event().wait()

    kube.before_create = do_not_answer
    finding = asyncio.create_task(find(session))
    await asked.wait()
    finding.cancel()
    assert await session.end(delete=True) is False
    await asyncio.wait({finding})
    assert session._post is not None
    assert session._post.done()


async def test_ending_is_sure_where_the_last_request_to_create_was_refused(
    session: Session, kube: FakeKube
) -> None:
    async def refuse() -> None:
        raise errors.RequestRefused("no", 403)

    kube.before_create = refuse
    with pytest.raises(errors.RequestRefused):
        await find(session)
    assert await session.end(delete=True)


async def test_a_cluster_of_the_same_name_that_somebody_else_made_is_left_when_an_answer_was_lost(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {}, annotations={labels.CREATION: "another word"})
    session.created = True
    await session.end(delete=True)
    assert (Kind.CLUSTER, "c") in kube.objects


async def test_signs_of_life_are_given_only_where_asked_for(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = iter(["first", "second", "third"])
    monkeypatch.setattr(heart, "now", lambda: next(beats))
    monkeypatch.setattr(heart, "BEATS_PER_LIFE", 1000)
    await find(session, time_to_live=30.0)
    annotations = kube.objects[Kind.CLUSTER, "c"]["metadata"]["annotations"]
    assert (annotations[labels.HEARTBEAT], annotations[labels.TIME_TO_LIVE]) == ("first", "30")
    await asyncio.wait_for(kube.patched.wait(), 5)
    annotations = kube.objects[Kind.CLUSTER, "c"]["metadata"]["annotations"]
    assert annotations[labels.HEARTBEAT] == "second"
    await session.end(delete=True)


async def test_a_cluster_that_stays_when_it_is_closed_is_not_missed_any_more(
    session: Session, kube: FakeKube
) -> None:
    await find(session, time_to_live=30.0)
    await session.end(delete=False)
    annotations = kube.objects[Kind.CLUSTER, "c"]["metadata"]["annotations"]
    assert not {labels.HEARTBEAT, labels.TIME_TO_LIVE} & annotations.keys()


def fail_to_patch(kube: FakeKube, *failures: Exception) -> None:
    """The next patches fail with these errors, one each."""
    left, works = iter(failures), kube.patch

    async def patch(*args: Any) -> None:
        for error in left:
            raise error
        await works(*args)

    kube.patch = patch  # type: ignore[assignment,method-assign]


async def test_signs_of_life_go_on_whatever_happened_to_one_of_them(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heart, "BEATS_PER_LIFE", 1000)
    fail_to_patch(kube, errors.KubernetesUnavailable("not now"), ValueError("words"))
    await find(session, time_to_live=30.0)
    await asyncio.wait_for(kube.patched.wait(), 5)
    assert "no sign of life could be given: not now" in caplog.text
    assert "ValueError: words" in caplog.text
    await session.end(delete=True)


async def test_no_signs_of_life_are_given_for_a_cluster_that_is_gone(
    session: Session, kube: FakeKube, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heart, "BEATS_PER_LIFE", 1000)
    tries = []

    async def fail(*args: Any) -> None:
        tries.append(1)
        raise errors.ClusterNotFound("c")

    kube.patch = fail  # type: ignore[assignment,method-assign]
    await find(session, time_to_live=30.0)
    assert session._heart is not None
    await asyncio.wait_for(session._heart._task, 5)
    assert (len(tries), caplog.text) == (1, "")
    await session.end(delete=False)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("error", "told"), [(errors.AnswerLost("no"), 0), (errors.RequestRefused("may not", 403), 1)]
)
async def test_a_time_to_live_that_cannot_be_ended_is_told_with_what_to_do(
    session: Session,
    kube: FakeKube,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    told: int,
) -> None:
    monkeypatch.setattr(session_module, "RETRY_SECONDS", 0.01)
    fail_to_patch(kube, error)
    await find(session, time_to_live=30.0)
    await session.end(delete=False)
    command = (
        "kubectl annotate daskcluster c --namespace ns --context here "
        f"{labels.HEARTBEAT}- {labels.TIME_TO_LIVE}-"
    )
    assert caplog.text.count(f"is deleted when that is over: may not. To keep it: {command}") == told
    assert (labels.HEARTBEAT in kube.objects[Kind.CLUSTER, "c"]["metadata"]["annotations"]) is bool(told)


async def test_no_signs_of_life_are_given_by_default(session: Session, kube: FakeKube) -> None:
    await find(session)
    assert labels.HEARTBEAT not in kube.objects[Kind.CLUSTER, "c"]["metadata"]["annotations"]


async def test_a_time_to_live_of_a_cluster_that_somebody_else_made_is_refused_by_name(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {})
    with pytest.raises(errors.ClusterDiffers, match="time_to_live"):
        await find(session, time_to_live=30.0)


async def test_an_autoscaler_of_the_clusters_spec_is_changed_and_ended_there(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.CLUSTER, "c", {"autoscaler": {"minimum": 0, "maximum": 3}})
    kube.put(Kind.WORKER_GROUP, "c-default", {"cluster": "c", "worker": {"replicas": 1}})
    kube.put(Kind.AUTOSCALER, "c", {"cluster": "c", "minimum": 0, "maximum": 3})
    await session.adapt(2, 9)
    assert kube.objects[Kind.CLUSTER, "c"]["spec"]["autoscaler"] == {"minimum": 2, "maximum": 9}
    assert kube.objects[Kind.AUTOSCALER, "c"]["spec"]["maximum"] == 3  # the operator's to change
    await session.scale("c-default", 4)
    assert kube.objects[Kind.CLUSTER, "c"]["spec"]["autoscaler"] is None
    assert (Kind.AUTOSCALER, "c") not in kube.objects
    assert kube.objects[Kind.WORKER_GROUP, "c-default"]["spec"]["worker"]["replicas"] == 4


async def test_adapting_twice_changes_the_bounds_and_stopping_is_repeatable(
    session: Session, kube: FakeKube
) -> None:
    await session.adapt(1, 5)
    await session.adapt(2, 9)
    assert kube.objects[Kind.AUTOSCALER, "c"]["spec"] == {"cluster": "c", "minimum": 2, "maximum": 9}
    await session.stop_adapting()
    await session.stop_adapting()
    assert kube.objects == {}


async def test_scaling_leaves_an_autoscaler_that_somebody_else_wrote_and_names_it(
    session: Session, kube: FakeKube
) -> None:
    kube.put(Kind.WORKER_GROUP, "c-default", {"cluster": "c", "worker": {"replicas": 1}})
    kube.put(Kind.AUTOSCALER, "c", {"cluster": "c", "minimum": 0, "maximum": 3})
    assert await session.scale("c-default", 4) == ""
    kube.put(Kind.AUTOSCALER, "theirs", {"cluster": "c", "minimum": 0, "maximum": 3})
    kube.put(Kind.AUTOSCALER, "other", {"cluster": "d", "minimum": 0, "maximum": 3})
    assert "DaskAutoscaler theirs goes on deciding" in await session.scale("c-default", 5)
    assert (Kind.AUTOSCALER, "theirs") in kube.objects
    kube.objects[Kind.AUTOSCALER, "theirs"]["spec"]["suspend"] = True
    assert await session.scale("c-default", 6) == ""
    assert kube.objects[Kind.WORKER_GROUP, "c-default"]["spec"]["worker"]["replicas"] == 6


async def test_scaling_another_group_names_its_autoscaler(session: Session, kube: FakeKube) -> None:
    kube.put(Kind.WORKER_GROUP, "c-gpu", {"cluster": "c", "worker": {"replicas": 1}})
    kube.put(Kind.AUTOSCALER, "c", {"cluster": "c", "minimum": 0, "maximum": 3})
    assert await session.scale("c-gpu", 4) == ""
    kube.put(Kind.AUTOSCALER, "gpu", {"cluster": "c", "workerGroup": "c-gpu", "minimum": 0, "maximum": 3})
    assert "DaskAutoscaler gpu goes on deciding the number of workers of c-gpu" in await session.scale(
        "c-gpu", 5
    )


async def test_who_may_not_list_autoscalers_scales_without_a_word(session: Session, kube: FakeKube) -> None:
    async def refuse(kind: Kind, namespace: str | None) -> list[dict[str, Any]]:
        raise errors.RequestRefused("no", 403)

    kube.all_of = refuse  # type: ignore[method-assign]
    kube.put(Kind.WORKER_GROUP, "c-default", {"cluster": "c", "worker": {"replicas": 1}})
    assert await session.scale("c-default", 4) == ""


async def test_adapting_names_an_older_autoscaler_of_the_same_group(session: Session, kube: FakeKube) -> None:
    kube.put(Kind.AUTOSCALER, "theirs", {"cluster": "c", "minimum": 0, "maximum": 3}, creationTimestamp="1")
    kube.put(Kind.AUTOSCALER, "c", {"cluster": "c", "minimum": 0, "maximum": 3}, creationTimestamp="2")
    assert "DaskAutoscaler theirs, which is older" in await session.adapt(1, 5)
    kube.objects[Kind.AUTOSCALER, "theirs"]["metadata"]["creationTimestamp"] = "3"
    assert await session.adapt(1, 5) == ""
