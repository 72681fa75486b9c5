"""Calls side by side, so many for one cluster at a time: however large it is, others get through."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from dask_operator.errors import ApiError, Refused

T = TypeVar("T")

Home = tuple[str, str]
"""Namespace and name of a cluster."""


class Lanes:
    """``most`` calls at a time for each cluster, over all the passes that are about it and its groups."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: WeakValueDictionary[Home, asyncio.Semaphore] = WeakValueDictionary()
        """Those in use: the last pass that needs a cluster's lanes lets go of them."""

    async def side_by_side(self, home: Home, items: Sequence[T], act: Callable[[T], Awaitable[None]]) -> None:
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
