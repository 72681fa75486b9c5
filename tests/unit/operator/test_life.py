"""The life of the process: why it ends."""

from dask_operator.life import _cause
from dask_operator.watching.watches import WatchesHang


def test_what_ends_the_process_is_told_by_itself_however_many_groups_of_tasks_it_came_through() -> None:
    hang = WatchesHang("kopf has not ended within 10 s")
    inner = ExceptionGroup("unhandled errors", [hang])
    assert _cause(ExceptionGroup("unhandled errors", [inner])) is hang
    assert _cause(hang) is hang
