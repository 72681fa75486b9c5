"""The life of a KubeCluster: started, connected, closed; one implementation for callers with and without ``await``."""

import asyncio
import contextlib
import datetime
import importlib
import logging
import platform
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import dask
import distributed
from dask_operator_api import commands, names
from dask_operator_api.manifests import Manifest, items, section
from distributed.core import Status, rpc
from distributed.deploy.cluster import Cluster
from distributed.utils import Log, Logs

from dask_operator_client import losses, skew
from dask_operator_client.background import LoopThread
from dask_operator_client.errors import ClusterError, RequestRefused
from dask_operator_client.keywords import Keywords, Options
from dask_operator_client.modes import CreateMode
from dask_operator_client.progress import Progress, progress_for

if TYPE_CHECKING:
    from dask_operator_client.connecting import Endpoints
    from dask_operator_client.session import Session
    from dask_operator_client.waiting import Verdict

T = TypeVar("T")
log = logging.getLogger(__name__)

SETTLE_SECONDS = 15.0
"""How long a start that was interrupted may take to undo what it has done."""

RESUBSCRIBE_SECONDS = 1.0
"""Time between two tries to hear of workers again after the connection to the scheduler broke."""


class Lifecycle(Cluster):  # type: ignore[misc]  # distributed has no types
    """What a KubeCluster is without the things that users do with it."""

    status: Status

    def __init__(
        self, name: str, keywords: Keywords, options: Options, quiet: bool, asynchronous: bool, loop: Any
    ) -> None:
        self._keywords = keywords
        self._options = options
        self._session: Session | None = None
        self._endpoints: Endpoints | None = None
        self._serves_jupyter = False
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._helpers: set[asyncio.Task[Any]] = set()
        self._background = LoopThread(f"KubeCluster {name}")
        self._turn = asyncio.Lock()
        self._settled = threading.Event()
        self._settled.set()
        losses.attend()
        super().__init__(asynchronous=asynchronous, loop=loop, quiet=quiet, name=name)
        if not self.called_from_running_loop:
            self._loop_runner.start()
            try:
                self.sync(self._start)
            except BaseException:
                self._stop_all()
                raise

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._started().__await__()

    async def _started(self) -> Self:
        async with self._turn:
            if self.status is Status.created:
                await self._start()
        return self

    async def _start(self) -> None:
        self._settled.clear()
        try:
            await self._come_up()
        finally:
            self._settled.set()

    async def _come_up(self) -> None:
        progress = progress_for(f"Dask cluster {self.name}", self.quiet)
        try:
            await self._reach(progress)
            await super()._start()
            await self._wait_as_asked(progress)
        except BaseException as error:
            progress.finish("failed" if isinstance(error, ClusterError) else "stopped")
            with self._unless_worse(error):
                await self._give_up()
            raise
        progress.finish("ready")
        self._help(self._tell_skew())

    async def _reach(self, progress: Progress) -> None:
        """Create or find the cluster, wait until it is ready, and open the way to its scheduler."""
        options = self._options
        self._show(progress, "connecting to Kubernetes")
        self._background.start()
        session = self._session = await self._background.run(_open_session(self.name, options.namespace))
        if options.create_mode is not CreateMode.CONNECT_ONLY or options.shutdown_on_close:
            # before anything is created: a process that is killed between the two would leave a cluster behind
            self._finalizer = weakref.finalize(self, _kube_module().delete_at_exit, session.claim)
        try:
            await self._background.run(session.find_or_create(self._keywords, options))
        except RequestRefused as error:
            hint = skew.crd_skew(str(error))
            raise RequestRefused(f"{error}. {hint}" if hint else str(error), error.status) from error
        except asyncio.CancelledError:
            # One turn of that loop: then it is settled there whether anything is created.
            await self._background.run(asyncio.sleep(0))
            raise
        finally:
            if self._finalizer is not None and not self._deletes:
                self._finalizer.detach()
        body = await self._background.run(
            session.until_ready(self._reporter(progress), options.resource_timeout)
        )
        self._show(progress, "connecting to the scheduler")
        self._endpoints = await self._background.run(session.connect(body, options))
        self._serves_jupyter = _serves_jupyter(body)
        self.scheduler_comm = rpc(self._endpoints.scheduler)

    async def _wait_as_asked(self, progress: Progress) -> None:
        wanted = self._options.wait_for_workers
        if wanted is False or self._session is None:
            return
        if wanted is True:
            group = await self._background.run(self._session.default_group())
            wanted = int(section(group, "spec", "worker").get("replicas", 1))
        await self._background.run(
            self._session.until_ready(self._reporter(progress), self._options.resource_timeout, wanted)
        )

    async def _until_workers(self, wanted: int, patience: float | None) -> None:
        progress = progress_for(f"Workers of {self.name}", self.quiet)
        seconds = self._options.resource_timeout if patience is None else patience
        report = self._reporter(progress)
        try:
            await self._on_session(lambda session: session.until_ready(report, seconds, wanted))
        except BaseException:
            progress.finish("not all of them came")
            raise
        progress.finish("connected")

    def _reporter(self, progress: Progress) -> "Callable[[Verdict], None]":
        return lambda verdict: self._show(progress, verdict.line, verdict.rows)

    def _show(self, progress: Progress, text: str, rows: Any = ()) -> None:
        if progress.show(text, rows):
            self._cluster_manager_logs.append((datetime.datetime.now(), text))

    @property
    def _deletes(self) -> bool:
        """Whether the DaskCluster goes with this object."""
        if self._options.shutdown_on_close is not None:
            return self._options.shutdown_on_close
        return self._session is not None and self._session.created

    async def _scale(self, group: str, replicas: int) -> None:
        self._warn(await self._on_session(lambda session: session.scale(group, replicas)))

    async def _adapt(self, minimum: int, maximum: int) -> None:
        self._warn(await self._on_session(lambda session: session.adapt(minimum, maximum)))

    async def _get_logs(self, cluster: bool = True, scheduler: bool = True, workers: Any = True) -> Any:
        """The Pods' logs, or, where those may not be read, what the scheduler and the workers remember of theirs."""
        found = None
        if isinstance(workers, bool) and (scheduler or workers):
            with contextlib.suppress(RequestRefused):
                found = await self._on_session(lambda session: session.pod_logs())
        if found is None:
            return await super()._get_logs(cluster=cluster, scheduler=scheduler, workers=workers)
        logs = Logs()
        if cluster:
            logs["Cluster"] = Log("\n".join(line for _, line in self._cluster_manager_logs))
        for pod, text in found.items():
            if scheduler if pod == names.scheduler_name(self.name) else workers:
                logs[pod] = Log(text)
        return logs

    async def _on_session(self, act: "Callable[[Session], Coroutine[Any, Any, T]]") -> T:
        if self._session is None or self.status is not Status.running:
            raise ClusterError(f"the cluster {self.name} is not connected: its status is {self.status.name}")
        return await self._background.run(act(self._session))

    async def explain_loss(self) -> str:
        """What to say about futures whose connection to the scheduler has just broken."""
        same = await losses.same_scheduler(self, str(self.scheduler_info.get("id", "")))
        why = self._session.last_break() if self._session is not None else ""
        return losses.words(self.name, why, same)

    async def _watch_worker_status(self, comm: Any) -> None:
        """Hear of workers that come and go, also after the connection broke."""
        await super()._watch_worker_status(comm)
        if self.status is Status.running:
            self._help(self._hear_again())

    async def _hear_again(self) -> None:
        while self.status is Status.running:
            try:
                comm = await self.scheduler_comm.live_comm()
                comm.name = "Cluster worker status"
                await comm.write({"op": "subscribe_worker_status"})
                told = await comm.read()
                self.scheduler_info["workers"] = told["workers"]
                self.scheduler_info.update(told)
            except (OSError, KeyError):  # no connection, or an error of the scheduler's
                await asyncio.sleep(RESUBSCRIBE_SECONDS)
                continue
            self._watch_worker_status_comm = comm
            self._watch_worker_status_task = asyncio.ensure_future(self._watch_worker_status(comm))
            return

    async def _tell_skew(self) -> None:
        """Log if the scheduler's image or the operator is of another release than what runs here."""
        here = {
            "python": platform.python_version(),
            "dask": dask.__version__,
            "distributed": distributed.__version__,
        }
        with contextlib.suppress(OSError):
            versions = await self.scheduler_comm.versions()
            packages = {key: str(value or "") for key, value in section(versions, "packages").items()}
            there = {**packages, "python": str(section(versions, "host").get("python", ""))}
            self._warn(skew.image_skew(here, there))
        with contextlib.suppress(ClusterError, metadata.PackageNotFoundError):
            body = await self._on_session(lambda session: session.seen())
            operator = str(section(body, "status").get("operatorVersion") or "")
            self._warn(skew.operator_skew(metadata.version("dask-operator-client"), operator))

    def _warn(self, sentence: str) -> None:
        if sentence:
            log.warning(sentence)

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the rest, until it is over or the cluster is closed."""
        task = asyncio.ensure_future(work)
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _close(self) -> None:
        async with self._turn:
            if self.status is Status.closed:
                return
            self.status = Status.closing
            helpers = list(self._helpers)
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._background.cut_off()  # while their loop runs: what other threads wait for ends with an error
            try:
                await super()._close()
            finally:
                self.status = Status.closed
                await self._release(delete=self._deletes)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        with self._unless_worse(error):
            self.close()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        with self._unless_worse(error):
            await self._close()

    @contextlib.contextmanager
    def _unless_worse(self, error: BaseException | None) -> Iterator[None]:
        """Raise what goes wrong at the end of something; only log it where that ends with an error of its own."""
        try:
            yield
        except ClusterError as failed:
            if error is None:
                raise
            log.warning("%s", "\n".join([str(failed), *getattr(failed, "__notes__", ())]))

    def _stop_all(self) -> None:
        """End what a start that failed has left, after it had time to tidy up: it has not, if this was interrupted."""
        try:
            self._settled.wait(SETTLE_SECONDS)
        finally:
            self._background.stop()
            self._loop_runner.stop()
            if self._finalizer is not None and (left := self._finalizer.peek()) is not None:
                _, delete, arguments, _ = left
                delete(*arguments)  # and again when the process ends: what was asked for may be created late

    async def _give_up(self) -> None:
        """Undo a start that failed: what was created goes again, what was found stays."""
        created = self._session is not None and self._session.created
        try:
            await super()._close()
        finally:
            self.status = Status.closed
            await self._release(delete=created and self._deletes)

    async def _release(self, delete: bool) -> None:
        session, self._session = self._session, None
        try:
            if not delete and self._finalizer is not None:
                self._finalizer.detach()
            sure = session is None or await self._background.run(session.end(delete))
            if sure and self._finalizer is not None:
                self._finalizer.detach()
        finally:
            self._background.stop()


def _serves_jupyter(body: Manifest) -> bool:
    containers = items(section(body, "spec", "scheduler", "spec"), "containers")
    return any(commands.JUPYTER_FLAG in (item.get("args") or ()) for item in containers if item)


async def _open_session(name: str, namespace: str | None) -> "Session":
    """A session; the modules behind it are loaded here, off the user's event loop, as they take a while."""
    session_module = importlib.import_module("dask_operator_client.session")
    opened: Awaitable[Session] = session_module.Session.open(name, namespace)
    return await opened


def _kube_module() -> ModuleType:
    return importlib.import_module("dask_operator_client.kube")
