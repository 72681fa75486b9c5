"""The scheduler's page of workers, as distributed renders it."""

from collections.abc import Iterator

import dask
import pytest
from dask_operator.desired.scheduler import HTTP_ROUTES
from dask_operator.errors import SchedulerUnreachable
from dask_operator.schedulers.dask_scheduler import DaskSchedulers
from dask_operator.schedulers.workers_page import Load, loads
from distributed import Client, LocalCluster

PAGE = """<table><thead><tr><th> Worker </th><th> Memory use </th><th> Processing </th><th> In-memory </th></tr></thead>
<tbody><tr><td><a href="x">tcp://1.2.3.4:5</a></td><td><progress value="77.0" max="9"></progress></td>
<td> 3 </td><td> 4 </td></tr></tbody></table><table><tr><td>other</td></tr></table>"""


def test_each_worker_has_its_tasks_results_and_bytes() -> None:
    assert loads(PAGE) == {"tcp://1.2.3.4:5": Load(busy=3, results=4, memory=77)}


def test_a_page_without_workers_is_an_empty_answer_and_one_without_a_table_is_none() -> None:
    assert loads(PAGE.replace("<tbody>", "<!--").replace("</tbody>", "-->")) == {}
    with pytest.raises(ValueError, match="no table"):
        loads("<html>404</html>")


def test_a_table_of_another_make_is_refused_with_the_name_of_what_is_missing() -> None:
    with pytest.raises(ValueError, match="In-memory"):
        loads(PAGE.replace("In-memory", "Kept"))


@pytest.fixture
def _http_api() -> Iterator[None]:
    with dask.config.set({"distributed.scheduler.http.routes": list(HTTP_ROUTES)}):
        yield


@pytest.mark.usefixtures("_http_api")
@pytest.mark.filterwarnings("ignore")
async def test_a_real_schedulers_answers_are_understood() -> None:
    options = {"processes": False, "dashboard_address": "127.0.0.1:0", "asynchronous": True}
    schedulers = DaskSchedulers(connections=10)
    async with (
        LocalCluster(n_workers=2, threads_per_worker=1, **options) as made,
        Client(made, asynchronous=True) as client,
    ):
        held = client.map(lambda number: number, range(6))
        await client.gather(held)
        port = made.scheduler.http_server.port
        workers = await schedulers.workers("127.0.0.1", port, with_loads=True)
        bare = await schedulers.workers("127.0.0.1", port, with_loads=False)
        await schedulers.close()
        assert sum(worker.results for worker in workers) == 6
        assert all(worker.memory > 0 for worker in workers)
        assert {worker.address for worker in bare} == {worker.address for worker in workers}


async def test_a_scheduler_that_is_not_there_is_unreachable() -> None:
    schedulers = DaskSchedulers(connections=10)
    try:
        with pytest.raises(SchedulerUnreachable, match=r"127\.0\.0\.1:1/"):
            await schedulers.workers("127.0.0.1", 1, with_loads=False)
    finally:
        await schedulers.close()
