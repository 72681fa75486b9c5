"""A real browser without a window: it opens a page and takes a picture of it.

It is spoken to in Chromium's own protocol (DevTools), over a web socket.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
SECONDS = 60.0
WIDTH, HEIGHT = 1400, 900


class Page:
    """The one page of a browser; make one with :func:`opened`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def picture(self) -> bytes:
        """What a person would see, as a PNG."""
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def go_to(self, address: str) -> None:
        """Load another page."""
        await self._call("Page.enable")
        answer = await self._call("Page.navigate", url=address)
        assert "errorText" not in answer, f"{address}: {answer['errorText']}"
        await self._hear("method", "Page.loadEventFired")

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await self._hear("id", number)
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result

    async def _hear(self, key: str, value: object) -> dict[str, Any]:
        """The next thing that the browser says with that in it."""
        async with asyncio.timeout(SECONDS):
            while True:
                told: dict[str, Any] = json.loads(await self._socket.receive_str())
                if told.get(key) == value:
                    return told


def program() -> str:
    """The browser on this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("there is no browser: run `make test-needs`")
    return found


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Page]:
    """A page that has loaded; the browser ends with the block."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        command = [
            program(),
            "--headless",
            "--no-sandbox",  # which root cannot have
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            f"--window-size={WIDTH},{HEIGHT}",
            "about:blank",
        ]
        quiet = asyncio.subprocess.DEVNULL
        browser = await asyncio.create_subprocess_exec(
            *command, stdout=quiet, stderr=quiet, start_new_session=True
        )
        try:
            async with aiohttp.ClientSession() as session:
                socket_address = await _socket_address(session, Path(folder))
                async with session.ws_connect(socket_address, max_msg_size=0) as socket:
                    page = Page(socket)
                    await page.go_to(address)
                    yield page
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(
                    browser.pid, signal.SIGKILL
                )  # what is started is a script, and the browser its child
            await browser.wait()


async def _socket_address(session: aiohttp.ClientSession, folder: Path) -> str:
    """Where the browser's one page is spoken to; the browser writes its port into its folder."""
    async with asyncio.timeout(SECONDS):
        while True:
            lines = _lines(folder / "DevToolsActivePort")
            if lines:
                async with session.get(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                    pages = [item for item in await answer.json() if item["type"] == "page"]
                if pages:
                    return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(0.1)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
