"""What the operator remembers of the API server's objects."""

from collections.abc import Iterator
from typing import Any

from dask_operator.intake import Intake
from dask_operator.observed import ObjectView
from dask_operator.store import Key, Store, keys_touched
from dask_operator_api.kinds import Kind
from dask_operator_api.manifests import Manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operator.worlds import cluster_body, group_body, scheduler_body, worker_body


def pod(name: str = "p", uid: str = "u", version: int = 1, of: str = "c") -> Manifest:
    labels = {"dask.org/cluster-name": of, "dask.org/component": "worker", "dask.org/workergroup-name": "g"}
    meta = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"kind": "Pod", "metadata": meta}


def apply(store: Store, kind: str, body: Manifest) -> ObjectView | None:
    return store.apply(kind, store.read(kind, body))


def held(store: Store) -> dict[str, tuple[str, int]]:
    return {view.name: (view.uid, view.version) for view in store.pods.objects.values()}


def test_the_newer_version_wins_in_any_order() -> None:
    store = Store()
    assert apply(store, "Pod", pod(version=5)) is not None
    assert apply(store, "Pod", pod(version=4)) is None
    assert apply(store, "Pod", pod(version=5)) is None
    assert held(store) == {"p": ("u", 5)}


def test_what_is_gone_stays_gone_though_a_late_answer_still_tells_of_it() -> None:
    store = Store()
    apply(store, "Pod", pod(version=5))
    store.remove("Pod", "ns", "p", "u", 6)
    assert apply(store, "Pod", pod(version=4)) is None
    assert held(store) == {}


def test_what_is_gone_before_it_was_seen_stays_gone() -> None:
    store = Store()
    assert store.remove("Pod", "ns", "p", "u", 2) is None
    assert apply(store, "Pod", pod(version=1)) is None


def test_a_successor_of_the_same_name_takes_the_place() -> None:
    store = Store()
    apply(store, "Pod", pod(uid="one", version=5))
    apply(store, "Pod", pod(uid="two", version=9))
    assert store.remove("Pod", "ns", "p", "one", 10) is None
    assert held(store) == {"p": ("two", 9)}


def test_late_news_of_a_predecessor_does_not_bury_its_successor() -> None:
    store = Store()
    apply(store, "Pod", pod(uid="two", version=9))
    apply(store, "Pod", pod(uid="one", version=5))
    apply(store, "Pod", pod(uid="two", version=10))
    assert held(store) == {"p": ("two", 10)}


def test_a_pod_that_left_the_selection_and_came_back_is_seen_again() -> None:
    store = Store()
    apply(store, "Pod", pod(version=5))
    store.remove("Pod", "ns", "p", "u", 6)
    assert apply(store, "Pod", pod(version=8)) is not None


def test_what_is_known_already_is_not_read_again() -> None:
    store = Store()
    view = apply(store, "Pod", pod(version=5))
    assert store.read("Pod", pod(version=5)) is view
    assert store.read("Pod", pod(version=6)) is not view
    assert store.read("Pod", pod(uid="another", version=5)) is not view


class _Queue:
    def __init__(self) -> None:
        self.keys: list[Key] = []

    def add(self, key: Key, edited: bool = False) -> None:
        self.keys.append(key)


class _Desk:
    def forget(self, uid: str) -> None:
        pass


def intake(store: Store) -> Intake:
    queue: Any = _Queue()
    desk: Any = _Desk()
    return Intake(store, queue, desk)


def test_a_listing_removes_what_it_no_longer_has() -> None:
    store = Store()
    apply(store, "Pod", pod("old", "old", 3))
    assert intake(store).listed("Pod", [], 5) == [3]
    assert held(store) == {}


def test_a_listing_does_not_remove_what_is_newer_than_itself() -> None:
    store = Store()
    apply(store, "Pod", pod("new", "new", 9))
    assert intake(store).listed("Pod", [], 5) == []
    assert held(store) == {"new": ("new", 9)}


def test_a_listing_replaces_a_ghost_by_its_successor() -> None:
    store = Store()
    apply(store, "Pod", pod(uid="ghost", version=3))
    intake(store).listed("Pod", [store.read("Pod", pod(uid="living", version=4))], 5)
    assert held(store) == {"p": ("living", 4)}


def _indexed(store: Store) -> Iterator[tuple[str, str]]:
    for of in ("a", "b"):
        yield from ((of, view.name) for view in store.pods_of("ns", of))


NEWS = st.lists(
    st.tuples(
        st.sampled_from(["apply", "remove"]),
        st.sampled_from(["p", "q"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=20,
)


@settings(max_examples=100)
@given(NEWS, st.randoms(use_true_random=False))
def test_in_any_order_of_news_the_store_ends_with_what_is_there(
    news: list[tuple[str, str, str]], luck: Any
) -> None:
    """Every object's life is told in order of time, then heard in any order, but for a name's next incarnation."""
    store, model, lives = Store(), dict[str, tuple[str, int, str]](), dict[str, int]()
    for version, (what, name, of) in enumerate(news, start=1):
        uid = f"{name}-{lives.setdefault(name, 0)}"
        if what == "apply":
            before = model.get(name)
            model[name] = (uid, version, of)
            told = [pod(name, uid, version, of)]
            if before is not None:
                told.append(pod(name, before[0], before[1], before[2]))
            luck.shuffle(told)
            for body in told:
                apply(store, "Pod", body)
        else:
            store.remove("Pod", "ns", name, uid, version)
            model.pop(name, None)
            lives[name] += 1
    assert held(store) == {name: (uid, version) for name, (uid, version, _) in model.items()}
    assert sorted(_indexed(store)) == sorted((of, name) for name, (_, _, of) in model.items())


def test_a_group_that_changes_its_cluster_changes_its_place() -> None:
    store = Store()
    apply(store, "DaskWorkerGroup", group_body("g", cluster="a"))
    apply(store, "DaskWorkerGroup", group_body("g", cluster="b", metadata={"resourceVersion": "2"}))
    assert store.groups_of("ns", "a") == ()
    assert [group.name for group in store.groups_of("ns", "b")] == ["g"]


def test_news_of_a_cluster_or_its_scheduler_concern_all_its_groups() -> None:
    store = Store()
    for name in ("g1", "g2"):
        apply(store, "DaskWorkerGroup", group_body(name))
    everything = {
        Key(Kind.CLUSTER, "ns", "c"),
        *(Key(Kind.WORKER_GROUP, "ns", name) for name in ("g1", "g2")),
    }
    for kind, body in (("DaskCluster", cluster_body()), ("Pod", scheduler_body())):
        view = apply(store, kind, body)
        assert view is not None
        assert keys_touched(store, view) == everything


def test_news_of_a_worker_concern_its_own_group_and_cluster_only() -> None:
    store = Store()
    for name in ("c-default", "g2"):
        apply(store, "DaskWorkerGroup", group_body(name))
    view = apply(store, "Pod", worker_body(1))
    assert view is not None
    assert keys_touched(store, view) == {
        Key(Kind.CLUSTER, "ns", "c"),
        Key(Kind.WORKER_GROUP, "ns", "c-default"),
    }


def test_groups_of_one_cluster_are_a_family_and_all_else_is_alone() -> None:
    store = Store()
    for name, cluster in (("a", "one"), ("b", "one"), ("c", "two")):
        meta = {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "generation": 1,
        }
        body = {"kind": "DaskWorkerGroup", "metadata": meta, "spec": {"cluster": cluster, "worker": {}}}
        store.apply("DaskWorkerGroup", store.read("DaskWorkerGroup", body))
    groups = [Key(Kind.WORKER_GROUP, "ns", name) for name in "abc"]
    others = [Key(kind, "ns", "one") for kind in (Kind.CLUSTER, Kind.JOB)]
    families = [store.family(key) for key in (*groups, *others)]
    assert families[0] == families[1]
    assert len(set(families)) == 4
