"""A real browser, spoken to by the DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import re

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
DEADLINE_S = 30
LEFT = "Inspected target navigated or closed"


class Left(Exception):
    """The page that was asked was left for another before it had answered."""


class Page:
    """One tab. ``said`` holds what it logged, threw, or was refused."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self.said = []

    async def call(self, method, **params):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive(timeout=DEADLINE_S)).data)
            if message.get("id") == number:
                if message.get("error", {}).get("message") == LEFT:
                    raise Left(params)
                assert "error" not in message, message
                return message["result"]
            if message["method"] in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.said.append(message["params"])

    async def ask(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait_for(self, expression):
        for _ in range(20 * DEADLINE_S):
            with contextlib.suppress(Left):  # after a press; the next is asked
                if await self.ask(f"Boolean({expression})"):
                    return
            await asyncio.sleep(0.05)
        pytest.fail(f"never came true: {expression}")

    async def open(self, url):
        await self.call("Page.navigate", url=str(url))
        await self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def picture(self, **more):
        shot = await self.call("Page.captureScreenshot", format="png", **more)
        return base64.b64decode(shot["data"])


@pytest.fixture(name="page")
async def _page(tmp_path):
    import aiohttp  # noqa: PLC0415  every run of the tests loads this file

    browser = await asyncio.create_subprocess_exec(
        "chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        port = await devtools_port(browser)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(t for t in await answer.json() if t["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                made = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await made.call(f"{domain}.enable")
                yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            browser.kill()
        await browser.wait()


async def devtools_port(browser):
    async with asyncio.timeout(DEADLINE_S):
        async for line in browser.stderr:
            if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
                return int(found[1])
    return pytest.fail("chromium ended")
