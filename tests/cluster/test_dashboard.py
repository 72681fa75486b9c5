"""The dashboard as people see it: through the client's link, in a real browser."""

import asyncio
import io
import time
from typing import Any

import pytest
from dask_operator_client import KubeCluster
from distributed import Client
from distributed.diagnostics.progress_stream import color_of
from PIL import Image

from tests.support.browser import opened
from tests.support.dask import on_workers
from tests.support.kubectl import ROOT

PICTURE = ROOT / "build" / "pictures" / "dashboard.png"
SECONDS = 60.0
ENOUGH = 1000
"""So many pixels of a colour are no accident."""

RUNNING = (0, 0, 255)
"""How the dashboard paints tasks that run on a worker."""

pytestmark = pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")


@on_workers
def napping(number: int) -> int:
    """A task that takes a second."""
    time.sleep(1)
    return number


def pixels(picture: bytes) -> dict[Any, int]:
    """How many pixels there are of each colour."""
    with Image.open(io.BytesIO(picture)) as image:
        found = image.convert("RGB").getcolors(image.width * image.height) or ()
    return {colour: number for number, colour in found}


def finished() -> tuple[int, int, int]:
    """How the dashboard paints tasks of that name that have run."""
    text = color_of("napping").lstrip("#")
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


async def picture_with(address: str, *colours: tuple[int, int, int]) -> bytes:
    """A picture of a page, as soon as there is enough of these colours in it."""
    async with opened(address) as page:
        deadline = time.monotonic() + SECONDS
        while True:
            picture = await page.picture()
            found = pixels(picture)
            if all(found.get(colour, 0) >= ENOUGH for colour in colours):
                return picture
            assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {colours} among {found}"
            await asyncio.sleep(0.5)


def test_a_browser_shows_the_running_tasks_through_the_link(namespace: str) -> None:
    with (
        KubeCluster(name="seen", n_workers=1, namespace=namespace, quiet=True) as cluster,
        Client(cluster) as client,
    ):
        running = client.map(napping, range(1000))
        picture = asyncio.run(picture_with(cluster.dashboard_link, RUNNING, finished()))
        client.cancel(running)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(picture)
