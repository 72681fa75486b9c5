"""Work runs in a thread of its own, from any loop, and ends with it."""

import asyncio
import threading

import pytest
from dask_operator_client.background import LoopThread
from dask_operator_client.errors import ClusterError


async def thread_name() -> str:
    return threading.current_thread().name


async def test_work_runs_in_the_thread_and_its_result_comes_back() -> None:
    background = LoopThread("a name")
    background.start()
    assert await background.run(thread_name()) == "a name"
    background.stop()


async def test_an_error_of_the_work_is_raised_where_it_was_asked_for() -> None:
    async def fail() -> None:
        raise ValueError("words")

    background = LoopThread("t")
    background.start()
    with pytest.raises(ValueError, match="words"):
        await background.run(fail())
    background.stop()


async def test_cancelling_the_caller_cancels_the_work() -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    background = LoopThread("t")
    background.start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(background.run(forever()), 0.05)
    assert await asyncio.to_thread(cancelled.wait, 5)
    background.stop()


async def test_stopping_cancels_what_still_runs_and_ends_the_thread() -> None:
    background = LoopThread("to be stopped")
    background.start()
    running = asyncio.create_task(background.run(asyncio.Event().wait()))
    await background.run(thread_name())
    background.stop()
    with pytest.raises(ClusterError, match="to be stopped was closed meanwhile"):
        await asyncio.wait_for(running, 5)
    thread = next((t for t in threading.enumerate() if t.name == "to be stopped"), None)
    if thread is not None:
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()


async def test_who_waits_is_told_when_the_work_is_cut_off_and_what_comes_later_runs() -> None:
    background = LoopThread("t")
    background.start()
    running = asyncio.create_task(background.run(asyncio.Event().wait()))
    await background.run(thread_name())
    background.cut_off()
    assert await background.run(thread_name()) == "t"
    with pytest.raises(ClusterError, match="closed meanwhile"):
        await asyncio.wait_for(running, 5)
    background.stop()


async def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    never_started = LoopThread("t")
    never_started.stop()
    never_started.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        await never_started.run(thread_name())
