"""Labels and annotations follow what the user writes, in place, and nobody else's are touched."""

from typing import Any

from dask_operator.desired.handed_down import HandedDown, inherited
from dask_operator_api.manifests import without_nulls
from dask_operator_api.specs import Metadata
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c", "dask.org/component", "kubernetes.dask.org/x"])
VALUES = st.dictionaries(KEYS, st.sampled_from(["1", "2"]), max_size=4)
METADATA = st.builds(Metadata, VALUES, VALUES)


def patched(metadata: dict[str, Any], patch: dict[str, Any] | None) -> dict[str, Any]:
    """What a merge patch makes of ``metadata``."""
    parts = ("labels", "annotations")
    return {part: without_nulls({**metadata[part], **(patch or {}).get(part, {})}) for part in parts}


@given(METADATA, METADATA)
def test_a_patch_makes_of_the_old_object_what_a_new_one_would_be(before: Metadata, after: Metadata) -> None:
    fixed = Metadata({"dask.org/component": "worker"}, {"kubernetes.dask.org/x": "fixed"})
    old, new = HandedDown.of(before), HandedDown.of(after)
    held = old.with_fixed(fixed)
    held["labels"]["somebody-elses"] = "stays"
    wanted = new.with_fixed(fixed)
    wanted["labels"]["somebody-elses"] = "stays"
    assert patched(held, new.patch(old.stamp)) == wanted


@given(METADATA)
def test_nothing_is_patched_where_nothing_was_edited(metadata: Metadata) -> None:
    handed = HandedDown.of(metadata)
    assert handed.patch(handed.stamp) is None


def test_a_stamp_that_somebody_has_spoilt_takes_nothing_away() -> None:
    for spoilt in ("{", "[]", '{"labels": 3}', "null"):
        patch = HandedDown.of(Metadata({"a": "1"}, {})).patch(spoilt)
        assert patch is not None
        assert patch["labels"] == {"a": "1"}


def test_keys_of_a_spec_that_the_user_takes_away_are_named() -> None:
    before = HandedDown.of(Metadata(), spec={"type": 1, "loadBalancerIP": 2})
    assert HandedDown.of(Metadata(), spec={"type": 1}).spec_taken_away(before.stamp) == {
        "loadBalancerIP": None
    }


def test_what_tools_wrote_is_not_inherited() -> None:
    held = Metadata({"team": "blue"}, {"kubectl.kubernetes.io/x": "1", "meta.helm.sh/release-name": "r"})
    assert inherited(held) == Metadata({"team": "blue"}, {})
