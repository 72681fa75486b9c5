"""kopf, as a source of watch events: in a thread and an event loop of its own.

There it can be stopped and started anew at any time, takes no signal that is ours, cancels no task that is ours when it
ends (it cancels all it finds in its loop), and a plugin's handler that blocks delays no renewal of the Lease.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import kopf
from dask_operator_api.fence import Fence

from dask_operator.api_server.kube import session_for_watches
from dask_operator.watching import handlers, plugins
from dask_operator.watching.handlers import Event

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
AT_ONCE = 500
"""Events taken in one turn of the loop, so that a long listing does not hold up everything else."""
GATHER_SECONDS = 0.01
"""Events that come so soon after one another are taken in one turn: waking the other thread costs as much as a few."""


class WatchesHang(Exception):
    """kopf does not end although it was told to: only the end of the process can help."""


@dataclass
class _Run:
    """One life of kopf."""

    flag: threading.Event = field(default_factory=threading.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    thread: threading.Thread | None = None


class Watches:
    """Starts, stops and restarts kopf, and hands its events to the loop it was made in.

    Args:
        deliver: takes an event; called in the loop of the one who made this.
        fence: what kopf's own writes have to pass.
        agent: what the API server's audit log calls this process.
        unlabelled: the kinds (plurals) that plugins want to see whole.
    """

    def __init__(
        self, deliver: Callable[[Event], None], fence: Fence, agent: str, unlabelled: Collection[str] = ()
    ) -> None:
        self._deliver = deliver
        self._fence = fence
        self._agent = agent
        self._unlabelled = unlabelled
        self._loop = asyncio.get_running_loop()
        self._registry = kopf.get_default_registry()
        self._inbox: deque[Event] = deque()
        self._woken = False
        self._run: _Run | None = None
        self._differences = plugins.have_handlers(self._registry)
        handlers.register(self._hand_over, self._registry, self._login)

    @property
    def running(self) -> bool:
        """Whether kopf runs, as far as one can tell from outside."""
        return self._run is not None and not self._run.over.is_set()

    async def ended(self) -> None:
        """Wait until kopf has ended, by itself or not; at once where it does not run."""
        if self._run is not None:
            await self._run.over.wait()

    def start(self, spaces: Sequence[str | None]) -> None:
        """Start kopf on these namespaces (None alone: all). Without any there is nothing to start."""
        if not spaces:
            return
        run = self._run = _Run()
        namespaces = [space for space in spaces if space is not None]
        run.thread = threading.Thread(target=self._serve, args=(run, namespaces), name="kopf", daemon=True)
        run.thread.start()

    async def stop(self) -> None:
        """End kopf, and wait for that.

        Raises:
            WatchesHang: it has not ended within seconds.
        """
        if self._run is None:
            return
        self._run.flag.set()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._run.over.wait()
        except TimeoutError:
            raise WatchesHang(f"kopf has not ended within {STOP_SECONDS:.0f} s") from None
        self._run = None

    def _serve(self, run: _Run, namespaces: list[str]) -> None:
        """The thread."""
        try:
            asyncio.run(self._operate(run, namespaces))
        except Exception:
            logger.exception("kopf has failed")
        finally:
            self._call_in_loop(run.over.set)

    async def _operate(self, run: _Run, namespaces: list[str]) -> None:
        settings = kopf.OperatorSettings()
        handlers.configure(settings, self._unlabelled, self._differences)
        try:
            await kopf.operator(
                registry=self._registry,
                settings=settings,
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=run.flag,
            )
        finally:
            # kopf waits for its flag in a thread of the executor, without which this loop could not end.
            run.flag.set()

    async def _login(self) -> kopf.AiohttpSession:
        server, session = await session_for_watches(self._fence, self._agent)
        return kopf.AiohttpSession(server=server, aiohttp_session=session)

    def _hand_over(self, event: Event) -> None:
        """Called in kopf's thread."""
        self._inbox.append(event)
        if not self._woken:
            self._woken = True
            self._call_in_loop(self._gather)

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _gather(self) -> None:
        self._loop.call_later(GATHER_SECONDS, self._take)

    def _take(self) -> None:
        # Before the inbox is looked at: what comes in from now on asks for another turn.
        self._woken = False
        for _ in range(AT_ONCE):
            if not self._inbox:
                return
            self._deliver(self._inbox.popleft())
        self._woken = True
        self._loop.call_soon(self._take)
