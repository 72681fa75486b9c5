"""Calls side by side, so many for the workers of one cluster at a time: however large it is, others get through."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from dask_operator.errors import ApiError, Refused

T = TypeVar("T")


class Lanes:
    """``most`` calls at a time for each home, over all the passes that share it.

    The worker groups of a cluster do; its own few objects wait behind none of them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()
        """Those in use: the last pass that needs them lets go of them."""

    async def side_by_side(
        self, home: Hashable, items: Sequence[T], act: Callable[[T], Awaitable[None]]
    ) -> None:
        """``act`` on all items; after the first failure no further one is begun.

        Raises:
            ApiError: the first failure, after everything that was begun has ended; a refusal before any other.
        """
        lanes = self._of.setdefault(home, asyncio.Semaphore(self._most))
        waiting = list(reversed(items))
        errors: list[ApiError] = []

        async def work() -> None:
            while waiting and not errors:
                async with lanes:
                    if not waiting or errors:
                        return
                    try:
                        await act(waiting.pop())
                    except ApiError as error:
                        errors.append(error)

        await asyncio.gather(*(work() for _ in range(min(self._most, len(items)))))
        if errors:
            raise next((error for error in errors if isinstance(error, Refused)), errors[0])
