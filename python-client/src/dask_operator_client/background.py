"""An event loop in a daemon thread of its own: a busy or blocked user's loop does not stop a port-forward."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from dask_operator_client.errors import ClusterError

T = TypeVar("T")

LAST_SECONDS = 2.0
"""How long the loop runs on when all is done, for TLS connections that are closed to say goodbye."""


class LoopThread:
    """Runs coroutines for callers in any other loop. It ends with :meth:`stop`, or with the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: set[concurrent.futures.Future[Any]] = set()

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True).start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Give what ``work`` gives, run in the thread; cancelling the caller cancels the work.

        Raises:
            ClusterError: it was cut off.
        """
        if self._loop is None:
            work.close()
            raise RuntimeError(f"the thread {self._name} does not run")
        call = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._calls.add(call)
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            # nobody has cancelled the caller, who may even be one that blocks and knows no cancellation
            raise ClusterError(f"{self._name} was closed meanwhile") from None
        finally:
            self._calls.discard(call)

    def cut_off(self) -> None:
        """Cancel the work that callers wait for, and tell them. What is run later is not touched."""
        for call in list(self._calls):
            call.cancel()

    def stop(self) -> None:
        """Cancel what still runs and end the thread, without waiting for it. Harmless when repeated."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(_wind_up(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await asyncio.sleep(LAST_SECONDS)
