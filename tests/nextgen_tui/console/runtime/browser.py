"""Headless Chromium, driven over its DevTools protocol: just enough to open a page, press keys and look at it."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
PATIENCE = 60.0


class Page:
    """One tab."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self.received = ""
        """Everything the page's own web socket brought, as text."""
        self.asked: list[str] = []
        """The addresses the page asked for."""
        self.refused: list[str] = []
        """Those that were refused or failed."""

    async def listen(self) -> None:
        """Take what the browser tells, until it is gone."""
        async for message in self._socket:
            content = message.json()
            if "id" in content:
                self._answers.pop(content["id"]).set_result(content)
            else:
                self._told(content["method"], content["params"])

    def _told(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.webSocketFrameReceived":
            data = params["response"]["payloadData"]
            binary = params["response"]["opcode"] == 2
            self.received += base64.b64decode(data).decode("utf-8", "replace") if binary else data
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Network.loadingFailed":
            self.refused.append(params.get("blockedReason") or params["errorText"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and give its result."""
        self._number += 1
        self._answers[self._number] = answer = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        content = await asyncio.wait_for(answer, PATIENCE)
        assert "error" not in content, content
        result: dict[str, Any] = content["result"]
        return result

    async def value(self, script: str) -> Any:
        """What a script gives in the page."""
        return (await self.call("Runtime.evaluate", expression=script, returnByValue=True))["result"].get("value")

    async def press(self, key: str) -> None:
        """Press and release a key that has a letter, wherever the page has the keys."""
        await self.call("Page.bringToFront")
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])

    async def holds(self, script: str) -> None:
        """Wait until a script gives true in the page."""
        for _ in range(int(PATIENCE / 0.05)):
            if await self.value(script) is True:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{script} never came true")

    async def until(self, words: str) -> None:
        """Wait until the page's web socket has brought the words."""
        for _ in range(int(PATIENCE / 0.05)):
            if words in self.received:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{words!r} never came; the page got {self.received[-2_000:]!r}")


@asynccontextmanager
async def page_at(address: str, folder: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, at an address."""
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    quiet = subprocess.DEVNULL
    browser = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        port = await _port(folder / "DevToolsActivePort")
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(one for one in await answer.json() if one["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                await page.call("Network.enable")
                await page.call("Page.enable")
                await page.call("Page.navigate", url=address)
                yield page
                listening.cancel()
    finally:
        browser.terminate()
        browser.wait(PATIENCE)


async def _port(told: Path) -> int:
    for _ in range(int(PATIENCE / 0.05)):
        if told.exists() and (lines := told.read_text().splitlines()):
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise AssertionError("the browser never said where it listens")
